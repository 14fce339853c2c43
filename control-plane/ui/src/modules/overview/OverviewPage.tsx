import { Page } from '@/lib/page/Page';

export function OverviewPage() {
  return <Page title="Overview">{null}</Page>;
}
