import { Alert, Anchor, Button, SimpleGrid, Stack, Text } from '@mantine/core';
import { IconAlertTriangle, IconKey } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import { useCan } from '@/api/me';
import { Section } from '@/lib/page/Section';
import { CapacityBar } from '@/lib/show/CapacityBar';
import { Time } from '@/lib/show/Time';
import { gib, mib, number, percent } from '@/lib/show/units';
import { serverRoute } from '../routes';
import { type Drain, disk, type Server } from '../servers';
import { ConnectionTest } from './ConnectionTest';
import { DrainProgress } from './DrainProgress';
import { Facts } from './Facts';

interface Props {
  server: Server;
  drain?: Drain;
}

export function Overview({ server, drain }: Props) {
  const { reserved, capacity, pod_limit, problem, waiting_jobs, scheduling, connection } = server;
  const storage = disk(server);
  const isDraining = drain?.kind === 'drain' ? scheduling.state === 'draining' : drain?.state === 'running';
  return (
    <Stack gap="md">
      {connection.state === 'pending' && <NotEnrolled />}
      {problem && (
        <Alert color="yellow" icon={<IconAlertTriangle aria-hidden />} title="Something is wrong with it">
          {problem.charAt(0).toUpperCase() + problem.slice(1)}
        </Alert>
      )}
      {waiting_jobs > 0 && (
        <Alert
          color="yellow"
          title={waiting_jobs === 1 ? 'A job waits for it' : `${number(waiting_jobs)} jobs wait for it`}
        >
          They go on when its agent is heard again.{' '}
          <Anchor
            size="sm"
            renderRoot={(props) => <Link to="/provisioning/jobs" search={{ waits_for: server.id }} {...props} />}
          >
            Show them
          </Anchor>
        </Alert>
      )}
      {drain && isDraining && <DrainProgress drain={drain} />}
      <Section title="Capacity" about="What is reserved for pods, of what may be">
        <SimpleGrid cols={{ base: 1, xs: 2, md: 4 }} spacing="lg">
          <Measure label="vCPU">
            <CapacityBar label="vCPU" used={reserved.vcpu} total={capacity.vcpu} show={number} />
          </Measure>
          <Measure label="Memory">
            <CapacityBar label="Memory" used={reserved.memory_mib} total={capacity.memory_mib} show={mib} />
          </Measure>
          <Measure label="Disk">
            <CapacityBar label="Disk" used={storage.reserved} total={storage.capacity} show={gib} />
          </Measure>
          <Measure label="Pods">
            {pod_limit == null ? (
              <Text size="xs">{number(reserved.pods)}, no limit</Text>
            ) : (
              <CapacityBar label="Pods" used={reserved.pods} total={pod_limit} show={number} />
            )}
          </Measure>
        </SimpleGrid>
      </Section>
      <SimpleGrid cols={{ base: 1, md: 2 }} spacing="md">
        <Section title="Host">
          <HostFacts server={server} />
        </Section>
        <ConnectionTest server={server} />
      </SimpleGrid>
    </Stack>
  );
}

function Measure({ label, children }: { label: string; children: React.ReactNode }) {
  return (
    <div>
      <Text size="xs" fw={600} mb={2}>
        {label}
      </Text>
      {children}
    </div>
  );
}

function HostFacts({ server }: { server: Server }) {
  const { host, load, bridge, vmid_min, vmid_max, vmid_space, backup_storage, created_at } = server;
  const cluster = host.cluster_name === '' ? 'None' : host.cluster_name;
  return (
    <Facts
      facts={[
        ['Node', host.node_name],
        ['Cluster', cluster],
        ['Proxmox VE', host.pve_version],
        ['Threads', host.cpu_threads == null ? null : number(host.cpu_threads)],
        ['Memory', host.memory_mib == null ? null : mib(host.memory_mib)],
        ['Load', load && `${percent(load.cpu_load)} CPU, ${mib(load.memory_used_mib)} memory in use`],
        ['Up since', load && <Time at={new Date(Date.parse(load.at) - load.uptime_s * 1000).toISOString()} />],
        ['Bridges', host.bridges.length > 0 ? `${host.bridges.join(', ')} (pods: ${bridge})` : `Pods: ${bridge}`],
        ['VMIDs', `${vmid_min} to ${vmid_max}`],
        ['VMID space', vmid_space === server.id ? 'Its own' : vmid_space],
        ['Backups go to', backup_storage ?? 'What each names'],
        [
          'Firewall',
          host.datacenter_firewall == null
            ? null
            : host.datacenter_firewall
              ? 'On'
              : 'Off in its datacenter: pods’ rules have no effect',
        ],
        ['Inventory', host.inventory_at && <Time at={host.inventory_at} />],
        ['Added', <Time key="added" at={created_at} />],
      ]}
    />
  );
}

function NotEnrolled() {
  const can = useCan();
  const navigate = serverRoute.useNavigate();
  const ask = () => void navigate({ search: (before) => ({ ...before, open: 'token' }) });
  return (
    <Alert color="brand" icon={<IconKey aria-hidden />} title="No agent has come yet">
      <Text size="sm">Paste the enrolment command on its host. A token that was lost or has expired is made anew.</Text>
      {can('servers:write') && (
        <Button size="xs" mt="xs" onClick={ask}>
          New enrolment token
        </Button>
      )}
    </Alert>
  );
}
