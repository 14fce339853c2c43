import { Button, Text, Title } from '@mantine/core';
import { IconNetwork, IconPencil, IconTrash } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { api, ifMatch, unwrap } from '@/api/client';
import { useCan } from '@/api/me';
import type { components } from '@/api/schema';
import { confirm } from '@/lib/confirm/confirm';
import { type Column, List, rowLink } from '@/lib/list/List';
import { OpenDrawer } from '@/lib/open/OpenDrawer';
import { useOpen } from '@/lib/open/useOpen';
import { EmptyState } from '@/lib/page/EmptyState';
import { Page } from '@/lib/page/Page';
import { PageSkeleton } from '@/lib/page/PageSkeleton';
import { ProblemAlert } from '@/lib/page/ProblemAlert';
import { Section } from '@/lib/page/Section';
import { Facts } from '@/lib/show/Facts';
import { Time } from '@/lib/show/Time';
import { ipPoolRoute } from '../routes';
import { PoolEdit } from './PoolEdit';
import { PoolStates, PoolUsed } from './PoolUsed';
import { addressesQuery, type IpPool, many, poolQuery } from './pools';

export function IpPoolPage() {
  const { pool: name } = ipPoolRoute.useParams();
  const { limit, page_token } = ipPoolRoute.useSearch();
  const can = useCan();
  const query = useQuery(poolQuery(name));
  const addresses = useQuery(addressesQuery(name, { limit, page_token }));
  if (query.isPending) return <PageSkeleton />;
  const pool = query.data;
  if (!pool) {
    return (
      <Page title="IP pool">
        <ProblemAlert problem={query.error} retry={() => void query.refetch()} />
      </Page>
    );
  }
  return (
    <Page
      title={pool.name}
      beside={<PoolStates pool={pool} />}
      about="IP pool"
      actions={can('ip_pools:write') && <Actions pool={pool} />}
    >
      <Section title="Range">
        <Known pool={pool} />
      </Section>
      <Title order={2}>Addresses that are held</Title>
      <List
        label="Addresses"
        query={addresses}
        rowKey={(one) => one.address}
        columns={COLUMNS}
        empty={<EmptyState icon={IconNetwork} title="Nobody holds one of its addresses" />}
      />
      {can('ip_pools:write') && (
        <OpenDrawer name="edit" title="Change the pool">
          {() => <PoolEdit pool={pool} />}
        </OpenDrawer>
      )}
    </Page>
  );
}

function Known({ pool }: { pool: IpPool }) {
  const { first, last, prefix_length, gateway, dns, bridge, vlan, region, free } = pool;
  return (
    <Facts
      facts={[
        { title: 'Given out', value: <PoolUsed pool={pool} /> },
        { title: 'Free', value: many(free) },
        { title: 'First', value: `${first}/${prefix_length}` },
        { title: 'Last', value: last },
        { title: 'Gateway', value: gateway },
        { title: 'Name servers', value: dns.join(', ') },
        { title: 'Bridge', value: bridge ?? 'The server’s' },
        { title: 'VLAN', value: vlan ?? 'Untagged' },
        { title: 'Region', value: region ?? 'Every' },
      ]}
    />
  );
}

const COLUMNS: Column<components['schemas']['IpAddressHolder']>[] = [
  {
    key: 'address',
    title: 'Address',
    show: ({ address, cloudpod_id }) => (
      <Link to="/provisioning/cloudpods/$id" params={{ id: cloudpod_id }} {...rowLink}>
        {address}
      </Link>
    ),
  },
  {
    key: 'cloudpod',
    title: 'CloudPod',
    show: ({ cloudpod_id }) => (
      <Text size="sm" ff="monospace" span style={{ overflowWrap: 'anywhere' }}>
        {cloudpod_id}
      </Text>
    ),
  },
  { key: 'allocated_at', title: 'Since', width: 160, show: ({ allocated_at }) => <Time at={allocated_at} /> },
];

function Actions({ pool: { id, name, version } }: { pool: IpPool }) {
  const { open } = useOpen('edit');
  const navigate = useNavigate();
  const remove = () =>
    confirm({
      title: `Delete the pool ${name}`,
      children: 'Only a pool of which nobody holds an address can be deleted.',
      label: 'Delete the pool',
      typed: name,
      isDanger: true,
      changes: ['ip_pool'],
      run: () =>
        unwrap(api.DELETE('/api/platform/ip-pools/{id}', { params: { path: { id } }, headers: ifMatch(version) })),
      done: () => void navigate({ to: '/settings/ip-pools' }),
    });
  return (
    <>
      <Button variant="default" leftSection={<IconPencil aria-hidden size={16} />} onClick={() => open(true)}>
        Change
      </Button>
      <Button variant="light" color="red" leftSection={<IconTrash aria-hidden size={16} />} onClick={remove}>
        Delete
      </Button>
    </>
  );
}
