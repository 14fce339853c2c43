import { Page } from '@/lib/page/Page';

export function ImagesPage() {
  return <Page title="Images">{null}</Page>;
}
