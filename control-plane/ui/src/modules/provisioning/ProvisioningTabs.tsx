import { useCan } from '@/api/me';
import { PageTabs } from '@/lib/page/PageTabs';

/** Goes between the two lists of this module. */
export function ProvisioningTabs() {
  const can = useCan();
  if (!can('provisioning:read')) return null;
  return (
    <PageTabs
      label="Provisioning"
      tabs={[
        { label: 'CloudPods', to: '/provisioning/cloudpods' },
        { label: 'Jobs', to: '/provisioning/jobs' },
      ]}
    />
  );
}
