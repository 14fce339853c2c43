import { Anchor, Stack, Text } from '@mantine/core';
import { IconNetwork, IconZoomExclamation } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useCan } from '@/api/me';
import { FilterSelect, Filters, FilterText, useIsFiltered } from '@/lib/list/Filters';
import { type Column, List, rowLink } from '@/lib/list/List';
import { OpenDrawer } from '@/lib/open/OpenDrawer';
import { EmptyState } from '@/lib/page/EmptyState';
import { Page } from '@/lib/page/Page';
import { ACTIVE_OPTIONS, isTrue } from '../ActivePill';
import { AddButton } from '../AddButton';
import { ipPoolsRoute } from '../routes';
import { PoolAdd } from './PoolAdd';
import { PoolStates, PoolUsed } from './PoolUsed';
import { type IpPool, poolsQuery } from './pools';

const FILTERS = ['family', 'region', 'active'];
const FAMILIES = [
  { value: '4', label: 'IPv4' },
  { value: '6', label: 'IPv6' },
];

export function IpPoolsPage() {
  const { limit, page_token, family, region, active } = ipPoolsRoute.useSearch();
  const can = useCan();
  const of = { family: family && Number(family), region, active: isTrue(active) };
  const query = useQuery(poolsQuery({ limit, page_token, ...of }));
  const mayWrite = can('ip_pools:write');
  return (
    <Page
      title="IP pools"
      about="Ranges that CloudPods get their addresses of"
      actions={mayWrite && <AddButton label="Add a pool" />}
    >
      <Filters names={FILTERS}>
        <FilterSelect name="family" label="Family" options={FAMILIES} />
        <FilterText name="region" label="Region" placeholder="default" />
        <FilterSelect name="active" label="State" options={ACTIVE_OPTIONS} />
      </Filters>
      <List label="IP pools" query={query} rowKey={(pool) => pool.id} columns={COLUMNS} empty={<Nothing />} />
      {mayWrite && (
        <OpenDrawer name="add" title="Add an IP pool">
          {() => <PoolAdd />}
        </OpenDrawer>
      )}
    </Page>
  );
}

const COLUMNS: Column<IpPool>[] = [
  {
    key: 'name',
    title: 'Name',
    show: ({ name, family }) => (
      <Stack gap={0}>
        <Link to="/settings/ip-pools/$pool" params={{ pool: name }} {...rowLink}>
          {name}
        </Link>
        <Text size="xs" c="dimmed">
          IPv{family}
        </Text>
      </Stack>
    ),
  },
  { key: 'state', title: 'State', show: (pool) => <PoolStates pool={pool} /> },
  {
    key: 'range',
    title: 'Range',
    show: ({ first, last, prefix_length }) => (
      <Stack gap={0}>
        <Text size="sm" style={{ overflowWrap: 'anywhere' }}>
          {first}/{prefix_length}
        </Text>
        <Text size="xs" c="dimmed" style={{ overflowWrap: 'anywhere' }}>
          to {last}
        </Text>
      </Stack>
    ),
  },
  { key: 'used', title: 'Given out', width: 160, show: (pool) => <PoolUsed pool={pool} /> },
  { key: 'gateway', title: 'Gateway', from: 'lg', show: ({ gateway }) => gateway },
  { key: 'region', title: 'Region', from: 'md', show: ({ region }) => region ?? 'Every' },
  {
    key: 'bridge',
    title: 'Bridge',
    from: 'md',
    show: ({ bridge, vlan }) => `${bridge ?? 'The server’s'}${vlan == null ? '' : `, VLAN ${vlan}`}`,
  },
];

function Nothing() {
  const isFiltered = useIsFiltered(FILTERS);
  if (!isFiltered) {
    return (
      <EmptyState icon={IconNetwork} title="There are no pools yet">
        Add a range: without one CloudPods get no addresses.
      </EmptyState>
    );
  }
  return (
    <EmptyState icon={IconZoomExclamation} title="No pool is like this">
      Change the filters, or{' '}
      <Anchor renderRoot={(props) => <Link to="/settings/ip-pools" {...props} />}>show all pools</Anchor>.
    </EmptyState>
  );
}
