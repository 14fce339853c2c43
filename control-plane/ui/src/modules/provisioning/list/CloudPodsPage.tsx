import { Anchor, Button } from '@mantine/core';
import { IconBox, IconPackageImport, IconPlus, IconZoomExclamation } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useCan, useScope } from '@/api/me';
import { FilterSelect, Filters, FilterText, useIsFiltered } from '@/lib/list/Filters';
import { List } from '@/lib/list/List';
import { EmptyState } from '@/lib/page/EmptyState';
import { Page } from '@/lib/page/Page';
import { AdoptModal } from '../actions/AdoptModal';
import { ProvisioningTabs } from '../ProvisioningTabs';
import { podsQuery } from '../pods';
import { cloudpodsRoute, POD_STATES } from '../routes';
import { podColumns } from './podColumns';
import { ServerFilter, TenantFilter } from './podFilters';

const FILTERS = ['name_prefix', 'state', 'plan_id', 'server_id', 'tenant_id', 'address'];
const STATES = POD_STATES.map((value) => ({ value, label: value.charAt(0).toUpperCase() + value.slice(1) }));

export function CloudPodsPage() {
  const search = cloudpodsRoute.useSearch();
  const { adopt: _, adopt_server: __, adopt_vmid: ___, tenant: ____, ...filters } = search;
  const can = useCan();
  const { isPlatform } = useScope();
  const seesServers = can('servers:read');
  const query = useQuery(podsQuery(filters));
  return (
    <Page
      title="CloudPods"
      about="Virtual machines, each on the server that suits it best"
      actions={
        <>
          {can('cloudpods:manage') && <AdoptButton />}
          {can('cloudpods:write') && <CreateButton />}
        </>
      }
    >
      <ProvisioningTabs />
      <Filters names={FILTERS}>
        <FilterText name="name_prefix" label="Name" placeholder="begins with" />
        <FilterSelect name="state" label="State" options={STATES} />
        {seesServers && <ServerFilter by="name" />}
        {isPlatform && <TenantFilter />}
        <FilterText name="plan_id" label="Plan" placeholder="small" />
        <FilterText name="address" label="Address" placeholder="192.0.2.10" />
      </Filters>
      <List
        label="CloudPods"
        query={query}
        rowKey={(pod) => pod.id}
        columns={podColumns({ withTenants: isPlatform, withServers: seesServers })}
        empty={<Nothing />}
      />
      {can('cloudpods:manage') && <AdoptModal />}
    </Page>
  );
}

function CreateButton() {
  return (
    <Button
      leftSection={<IconPlus aria-hidden size={16} />}
      renderRoot={(props) => <Link to="/provisioning/cloudpods/new" {...props} />}
    >
      Create a CloudPod
    </Button>
  );
}

function AdoptButton() {
  return (
    <Button
      variant="default"
      leftSection={<IconPackageImport aria-hidden size={16} />}
      renderRoot={(props) => (
        <Link to="/provisioning/cloudpods" search={(before) => ({ ...before, adopt: true })} {...props} />
      )}
    >
      Adopt a VM
    </Button>
  );
}

function Nothing() {
  const can = useCan();
  if (useIsFiltered(FILTERS)) {
    return (
      <EmptyState icon={IconZoomExclamation} title="No CloudPod is like this">
        Change the filters, or{' '}
        <Anchor renderRoot={(props) => <Link to="/provisioning/cloudpods" {...props} />}>show all CloudPods</Anchor>.
      </EmptyState>
    );
  }
  return (
    <EmptyState icon={IconBox} title="No CloudPods yet" action={can('cloudpods:write') && <CreateButton />}>
      Create the first one of a plan and an image: it runs within a minute or two.
    </EmptyState>
  );
}
