import { Group, Stack, Text } from '@mantine/core';
import { IconAlertTriangle, IconSkull } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import { type Column, rowLink } from '@/lib/list/List';
import { Pill } from '@/lib/pills/Pill';
import { ConnectionPill, SchedulingPill } from '@/lib/pills/pills';
import { CapacityBar } from '@/lib/show/CapacityBar';
import { Stale } from '@/lib/show/Stale';
import { Time } from '@/lib/show/Time';
import { gib, mib, number } from '@/lib/show/units';
import { disk, type Server } from './servers';

export const columns: Column<Server>[] = [
  {
    key: 'name',
    title: 'Name',
    sort: 'name',
    // So that no name breaks at its hyphen.
    width: 160,
    show: ({ name, region }) => (
      <Stack gap={0}>
        <Link to="/servers/$server" params={{ server: name }} {...rowLink}>
          {name}
        </Link>
        <Text size="xs" c="dimmed">
          {region}
        </Text>
      </Stack>
    ),
  },
  { key: 'state', title: 'State', show: (server) => <States server={server} /> },
  {
    key: 'vcpu',
    title: 'vCPU',
    width: 130,
    show: ({ reserved, capacity }) => (
      <CapacityBar label="vCPU" used={reserved.vcpu} total={capacity.vcpu} show={number} />
    ),
  },
  {
    key: 'memory',
    title: 'Memory',
    width: 150,
    show: ({ reserved, capacity }) => (
      <CapacityBar label="Memory" used={reserved.memory_mib} total={capacity.memory_mib} show={mib} />
    ),
  },
  {
    key: 'disk',
    title: 'Disk',
    width: 150,
    show: (server) => {
      const { reserved, capacity } = disk(server);
      return <CapacityBar label="Disk" used={reserved} total={capacity} show={gib} />;
    },
  },
  {
    key: 'pods',
    title: 'Pods',
    width: 80,
    show: ({ reserved, pod_limit }) => (pod_limit == null ? number(reserved.pods) : `${reserved.pods} / ${pod_limit}`),
  },
  {
    key: 'version',
    title: 'Proxmox VE',
    from: 'lg',
    show: ({ host }) => (
      <Stack gap={0}>
        <Text size="sm">{host.pve_version ?? '–'}</Text>
        <Text size="xs" c="dimmed">
          {host.agent_version ? `Agent ${host.agent_version}` : 'No agent yet'}
        </Text>
      </Stack>
    ),
  },
  {
    key: 'created_at',
    title: 'Added',
    sort: 'created_at',
    from: 'lg',
    width: 130,
    show: ({ created_at }) => (
      <Text size="sm" component="span">
        <Time at={created_at} />
      </Text>
    ),
  },
];

/** Both states of a server, and what is to be known of them. */
export function States({ server: { connection, scheduling, lost_at, problem, waiting_jobs } }: { server: Server }) {
  const isAway = connection.state === 'offline';
  return (
    <Group gap={4}>
      <ConnectionPill state={connection.state} />
      <SchedulingPill state={scheduling.state} about={scheduling.reason || undefined} />
      {isAway && <Stale since={connection.last_seen_at} />}
      {lost_at && (
        <Pill tone="bad" icon={IconSkull} about="Declared lost: its pods failed, and what they held there is free">
          Lost
        </Pill>
      )}
      {problem && (
        <Pill tone="warn" icon={IconAlertTriangle} about={problem}>
          Problem
        </Pill>
      )}
      {waiting_jobs > 0 && (
        <Text size="xs" c="dimmed">
          {waiting_jobs} {waiting_jobs === 1 ? 'job waits' : 'jobs wait'}
        </Text>
      )}
    </Group>
  );
}
