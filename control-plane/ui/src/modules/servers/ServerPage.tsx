import { Page } from '@/lib/page/Page';

export function ServerPage() {
  return <Page title="Server">{null}</Page>;
}
