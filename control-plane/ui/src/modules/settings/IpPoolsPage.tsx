import { Page } from '@/lib/page/Page';

export function IpPoolsPage() {
  return <Page title="IP pools">{null}</Page>;
}
