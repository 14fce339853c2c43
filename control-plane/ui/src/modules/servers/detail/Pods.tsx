import { Text } from '@mantine/core';
import { IconBox } from '@tabler/icons-react';
import { queryOptions, useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { api, unwrap } from '@/api/client';
import { key } from '@/api/keys';
import type { components } from '@/api/schema';
import { type Column, List, rowLink } from '@/lib/list/List';
import { EmptyState } from '@/lib/page/EmptyState';
import { PodPill } from '@/lib/pills/pods';
import { Stale } from '@/lib/show/Stale';
import { gib, mib } from '@/lib/show/units';
import { serverRoute } from '../routes';
import type { Server } from '../servers';

type CloudPod = components['schemas']['CloudPod'];

function podsQuery(server_id: string, limit?: number, page_token?: string) {
  const query = { server_id, limit, page_token };
  return queryOptions({
    queryKey: key('cloudpod', 'list', query),
    queryFn: ({ signal }) => unwrap(api.GET('/api/platform/provisioning/cloudpods', { params: { query }, signal })),
    placeholderData: (before) => before,
  });
}

/** The pods on a server. */
export function Pods({ server }: { server: Server }) {
  const { limit, page_token } = serverRoute.useSearch();
  const query = useQuery(podsQuery(server.id, limit, page_token));
  return (
    <List
      label={`Pods on ${server.name}`}
      query={query}
      rowKey={(pod) => pod.id}
      columns={columnsOn(server)}
      empty={
        <EmptyState icon={IconBox} title="No pod is on it">
          {server.scheduling.state === 'online'
            ? 'New ones are placed on it as they are made.'
            : 'Nothing new is placed on it until it is opened.'}
        </EmptyState>
      }
    />
  );
}

function columnsOn(server: Server): Column<CloudPod>[] {
  const isAway = server.connection.state === 'offline';
  return [
    {
      key: 'name',
      title: 'Name',
      show: ({ id, name }) => (
        <Link to="/provisioning/cloudpods/$id" params={{ id }} {...rowLink}>
          {name}
        </Link>
      ),
    },
    {
      key: 'state',
      title: 'State',
      show: ({ state, observed_power, observed_at }) => (
        <>
          <PodPill state={state} power={observed_power} /> {isAway && <Stale since={observed_at} />}
        </>
      ),
    },
    { key: 'vmid', title: 'VMID', show: ({ vmid }) => vmid ?? '–' },
    {
      key: 'size',
      title: 'Size',
      show: ({ vcpu, memory_mib, disk_gib }) => `${vcpu} vCPU, ${mib(memory_mib)}, ${gib(disk_gib)}`,
    },
    {
      key: 'addresses',
      title: 'Addresses',
      show: ({ addresses }) => addresses.map(({ address }) => address).join(', ') || '–',
    },
    { key: 'storage', title: 'Storage', from: 'md', show: ({ storage }) => storage ?? '–' },
    {
      key: 'moving',
      title: 'Moves to',
      from: 'lg',
      show: ({ moving_to }) =>
        moving_to?.name ?? (
          <Text span size="sm" c="dimmed">
            –
          </Text>
        ),
    },
  ];
}
