import { Page } from '@/lib/page/Page';

export function CustomersPage() {
  return <Page title="Customers">{null}</Page>;
}
