import { Page } from '@/lib/page/Page';

export function UsersPage() {
  return <Page title="Users">{null}</Page>;
}
