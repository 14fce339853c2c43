import { Page } from '@/lib/page/Page';

export function PlansPage() {
  return <Page title="Plans">{null}</Page>;
}
