import { Page } from '@/lib/page/Page';

export function JobsPage() {
  return <Page title="Jobs">{null}</Page>;
}
