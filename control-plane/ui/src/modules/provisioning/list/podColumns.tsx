import { Group, Stack, Text } from '@mantine/core';
import { IconLifebuoy, IconRefreshAlert, IconTransfer } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import { type Column, rowLink } from '@/lib/list/List';
import { Pill } from '@/lib/pills/Pill';
import { PodPill } from '@/lib/pills/pods';
import { Stale } from '@/lib/show/Stale';
import { Time } from '@/lib/show/Time';
import { gib, mib } from '@/lib/show/units';
import type { CloudPod } from '../pods';

const NAME: Column<CloudPod> = {
  key: 'name',
  title: 'Name',
  sort: 'name',
  show: ({ id, name, image }) => (
    <Stack gap={0}>
      <Link to="/provisioning/cloudpods/$id" params={{ id }} {...rowLink}>
        {name}
      </Link>
      <Text size="xs" c="dimmed">
        {image.name}
      </Text>
    </Stack>
  ),
};

const SERVER: Column<CloudPod> = {
  key: 'server',
  title: 'Server',
  show: ({ server, storage, vmid }) =>
    server ? (
      <Stack gap={0} align="flex-start">
        <Text size="sm">{server.name}</Text>
        <Text size="xs" c="dimmed">
          {[vmid && `VM ${vmid}`, storage].filter(Boolean).join(', ')}
        </Text>
      </Stack>
    ) : (
      '–'
    ),
};

/** Whose they are, where those of all tenants are shown. */
const TENANT: Column<CloudPod> = {
  key: 'tenant',
  title: 'Tenant',
  show: ({ tenant_name }) => <Text size="sm">{tenant_name}</Text>,
};

const STATE: Column<CloudPod> = { key: 'state', title: 'State', show: (pod) => <PodStates pod={pod} /> };

const OTHERS: Column<CloudPod>[] = [
  {
    key: 'addresses',
    title: 'Addresses',
    show: ({ addresses }) =>
      addresses.length === 0 ? (
        '–'
      ) : (
        <Text size="sm" component="div">
          {addresses.map(({ address }) => (
            <div key={address}>{address}</div>
          ))}
        </Text>
      ),
  },
  {
    key: 'size',
    title: 'Size',
    show: ({ plan, vcpu, memory_mib, disk_gib }) => (
      <Stack gap={0}>
        <Text size="sm">{plan.name}</Text>
        <Text size="xs" c="dimmed">
          {vcpu} vCPU, {mib(memory_mib)}, {gib(disk_gib)}
        </Text>
      </Stack>
    ),
  },
  {
    key: 'created_at',
    title: 'Made',
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

/** What differs by who looks: tenants are of interest where those of all are shown, servers are shown to staff. */
export function podColumns({
  withTenants,
  withServers,
}: {
  withTenants: boolean;
  withServers: boolean;
}): Column<CloudPod>[] {
  return [NAME, ...(withTenants ? [TENANT] : []), STATE, ...(withServers ? [SERVER] : []), ...OTHERS];
}

/** Its state, and what is special about it at present. */
export function PodStates({ pod }: { pod: CloudPod }) {
  const { state, observed_power, failure, suspension, moving_to, restart_causes, rescue_iso, stale_since } = pod;
  return (
    <Group gap={4}>
      <PodPill state={state} power={observed_power} about={failure ?? suspension?.reason} />
      {stale_since && <Stale since={stale_since} />}
      {moving_to && (
        <Pill tone="busy" icon={IconTransfer} about={`On its way to ${moving_to.name}`}>
          Moving
        </Pill>
      )}
      {rescue_iso && (
        <Pill tone="warn" icon={IconLifebuoy} about={`Started from ${rescue_iso}`}>
          Rescue
        </Pill>
      )}
      {restart_causes.length > 0 && (
        <Pill tone="warn" icon={IconRefreshAlert} about="What was changed takes effect at its next restart">
          Restart needed
        </Pill>
      )}
    </Group>
  );
}
