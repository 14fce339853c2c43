import { Page } from '@/lib/page/Page';

export function AuditPage() {
  return <Page title="Audit">{null}</Page>;
}
