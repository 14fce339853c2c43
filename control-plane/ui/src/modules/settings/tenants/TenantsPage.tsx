import { Anchor, Stack, Text } from '@mantine/core';
import { IconBuildings, IconZoomExclamation } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useCan } from '@/api/me';
import { FilterSelect, Filters, FilterText, useIsFiltered } from '@/lib/list/Filters';
import { type Column, List, rowLink } from '@/lib/list/List';
import { OpenDrawer } from '@/lib/open/OpenDrawer';
import { EmptyState } from '@/lib/page/EmptyState';
import { Page } from '@/lib/page/Page';
import { Time } from '@/lib/show/Time';
import { AddButton } from '../AddButton';
import { tenantsRoute } from '../routes';
import { TenantForm } from './TenantForm';
import { TenantPill } from './TenantPill';
import { type Tenant, tenantsQuery } from './tenants';

const FILTERS = ['state', 'name_prefix'];
const STATES = [
  { value: 'active', label: 'Active' },
  { value: 'suspended', label: 'Suspended' },
];

export function TenantsPage() {
  const { add: _, tenant: __, ...search } = tenantsRoute.useSearch();
  const can = useCan();
  const query = useQuery(tenantsQuery(search));
  const mayAdd = can('tenants:manage');
  return (
    <Page
      title="Tenants"
      about="Accounts, and how much each may use"
      actions={mayAdd && <AddButton label="Add a tenant" />}
    >
      <Filters names={FILTERS}>
        <FilterSelect name="state" label="State" options={STATES} />
        <FilterText name="name_prefix" label="Name" placeholder="Begins with" />
      </Filters>
      <List label="Tenants" query={query} rowKey={(tenant) => tenant.id} columns={COLUMNS} empty={<Nothing />} />
      {mayAdd && (
        <OpenDrawer name="add" title="Add a tenant">
          {() => <TenantForm />}
        </OpenDrawer>
      )}
    </Page>
  );
}

const COLUMNS: Column<Tenant>[] = [
  {
    key: 'name',
    title: 'Name',
    sort: 'name',
    show: ({ id, name }) => (
      <Link to="/settings/tenants/$tenant" params={{ tenant: id }} {...rowLink}>
        {name}
      </Link>
    ),
  },
  {
    key: 'state',
    title: 'State',
    show: ({ suspension }) => (
      <Stack gap={2} align="flex-start">
        <TenantPill suspension={suspension} />
        {suspension && (
          <Text size="xs" c="dimmed" component="div">
            <Time at={suspension.since} />: {suspension.reason}
          </Text>
        )}
      </Stack>
    ),
  },
  { key: 'contact_email', title: 'E-mail address', show: ({ contact_email }) => contact_email ?? 'Its owners’' },
  { key: 'default_region', title: 'Region', from: 'md', show: ({ default_region }) => default_region ?? 'Any' },
  {
    key: 'created_at',
    title: 'Made',
    sort: 'created_at',
    width: 140,
    from: 'md',
    show: ({ created_at }) => (
      <Text size="sm" component="span">
        <Time at={created_at} />
      </Text>
    ),
  },
];

function Nothing() {
  const isFiltered = useIsFiltered(FILTERS);
  if (!isFiltered) return <EmptyState icon={IconBuildings} title="There are no tenants yet" />;
  return (
    <EmptyState icon={IconZoomExclamation} title="No tenant is like this">
      Change the filters, or{' '}
      <Anchor renderRoot={(props) => <Link to="/settings/tenants" {...props} />}>show all tenants</Anchor>.
    </EmptyState>
  );
}
