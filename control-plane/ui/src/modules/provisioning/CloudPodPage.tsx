import { Page } from '@/lib/page/Page';

export function CloudPodPage() {
  return <Page title="CloudPod">{null}</Page>;
}
