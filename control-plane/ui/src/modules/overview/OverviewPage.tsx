import { SimpleGrid, Stack } from '@mantine/core';
import { useCan, useScope } from '@/api/me';
import { Page } from '@/lib/page/Page';
import { Attention } from './Attention';
import { Capacity } from './Capacity';
import { JobsOverTime } from './JobsOverTime';
import { PodStates } from './PodStates';
import { Quotas } from './Quotas';

/** How all is doing at a glance: the fleet for staff, or what is one tenant's. */
export function OverviewPage() {
  const can = useCan();
  const { isPlatform, tenant } = useScope();
  return (
    <Page title="Overview">
      <Stack gap="md">
        {isPlatform && can('invariants:read') && <Attention />}
        {isPlatform && can('servers:read') && <Capacity />}
        {!isPlatform && tenant && can('tenants:read') && <Quotas tenant={tenant} />}
        <SimpleGrid cols={{ base: 1, lg: 2 }} spacing="md">
          {can('cloudpods:read') && <PodStates />}
          {can('provisioning:read') && <JobsOverTime />}
        </SimpleGrid>
      </Stack>
    </Page>
  );
}
