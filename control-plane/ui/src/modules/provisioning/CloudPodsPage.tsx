import { Page } from '@/lib/page/Page';

export function CloudPodsPage() {
  return <Page title="CloudPods">{null}</Page>;
}
