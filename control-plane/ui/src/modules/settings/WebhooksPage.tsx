import { Page } from '@/lib/page/Page';

export function WebhooksPage() {
  return <Page title="Webhooks">{null}</Page>;
}
