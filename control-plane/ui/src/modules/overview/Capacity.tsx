import { Group, SegmentedControl, SimpleGrid, Skeleton, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { useCan } from '@/api/me';
import { ProblemAlert } from '@/lib/page/ProblemAlert';
import { Section } from '@/lib/page/Section';
import { CapacityBar } from '@/lib/show/CapacityBar';
import { gib, mib, number, percent } from '@/lib/show/units';
import { disk, type Server } from '@/modules/servers/servers';
import classes from './Capacity.module.css';
import { COUNTED, fleetQuery } from './overview';

interface Measure {
  label: string;
  used: (server: Server) => number;
  total: (server: Server) => number;
  show: (value: number) => string;
}

const MEASURES = {
  memory: {
    label: 'Memory',
    used: ({ reserved }) => reserved.memory_mib,
    total: ({ capacity }) => capacity.memory_mib,
    show: mib,
  },
  vcpu: { label: 'vCPU', used: ({ reserved }) => reserved.vcpu, total: ({ capacity }) => capacity.vcpu, show: number },
  disk: { label: 'Disk', used: (one) => disk(one).reserved, total: (one) => disk(one).capacity, show: gib },
} satisfies Record<string, Measure>;

type Name = keyof typeof MEASURES;

const NAMES = Object.keys(MEASURES) as Name[];
/** The fullest that are shown. */
const SHOWN = 12;

/** What is reserved of the fleet in all, and by server. */
export function Capacity() {
  const [name, setName] = useState<Name>('memory');
  const can = useCan();
  const query = useQuery(fleetQuery());
  if (query.isPending) return <Skeleton h={260} aria-busy="true" aria-label="Loading the capacity" />;
  if (!query.data) return <ProblemAlert problem={query.error} retry={() => void query.refetch()} />;
  const { items: servers, next_page_token } = query.data;
  const sum = (of: (server: Server) => number) => servers.reduce((all, one) => all + of(one), 0);
  const online = servers.filter((one) => one.connection.state === 'online').length;
  const open = servers.filter((one) => one.scheduling.state === 'online').length;
  return (
    <Section
      title="Capacity"
      about={
        servers.length === 0
          ? 'No server yet'
          : `${next_page_token ? `The first ${COUNTED} servers by name` : `${number(servers.length)} ${servers.length === 1 ? 'server' : 'servers'}`}: ${number(online)} online, ${number(open)} open to new pods`
      }
      actions={
        <Link to="/servers">{servers.length === 0 && can('servers:write') ? 'Add the first one' : 'All servers'}</Link>
      }
    >
      {servers.length > 0 && (
        <Stack gap="md">
          <SimpleGrid cols={{ base: 1, xs: 3 }} spacing="lg">
            {NAMES.map((one) => {
              const { label, used, total, show } = MEASURES[one];
              return (
                <div key={one}>
                  <Text size="xs" fw={600} mb={2}>
                    {label}
                  </Text>
                  <CapacityBar label={`${label} in all`} used={sum(used)} total={sum(total)} show={show} />
                </div>
              );
            })}
          </SimpleGrid>
          <Group justify="space-between" gap="xs">
            <Text size="sm" fw={600}>
              {servers.length > SHOWN ? `The ${SHOWN} fullest servers` : 'By server'}
            </Text>
            <SegmentedControl
              size="xs"
              aria-label="By what"
              data={NAMES.map((one) => ({ value: one, label: MEASURES[one].label }))}
              value={name}
              onChange={(value) => setName(NAMES.find((one) => one === value) ?? 'memory')}
            />
          </Group>
          <Bars servers={servers} measure={MEASURES[name]} />
        </Stack>
      )}
    </Section>
  );
}

/** A bar for each of the fullest servers. */
function Bars({ servers, measure: { label, used, total, show } }: { servers: Server[]; measure: Measure }) {
  const share = (server: Server) => (total(server) > 0 ? used(server) / total(server) : 0);
  const fullest = servers.toSorted((a, b) => share(b) - share(a)).slice(0, SHOWN);
  return (
    <ul className={classes.bars} aria-label={`${label} by server`}>
      {fullest.map((server) => (
        <li key={server.id} className={classes.row}>
          <Link to="/servers/$server" params={{ server: server.name }} className={classes.name}>
            {server.name}
          </Link>
          <span className={classes.track} aria-hidden>
            <span
              className={classes.fill}
              data-full={share(server) >= 0.95 || undefined}
              style={{ width: `${Math.min(100, share(server) * 100)}%` }}
            />
          </span>
          <span className={classes.value}>
            {total(server) > 0 ? (
              <>
                {percent(share(server))}{' '}
                <span className={classes.amount}>
                  {show(used(server))} / {show(total(server))}
                </span>
              </>
            ) : (
              'Not known'
            )}
          </span>
        </li>
      ))}
    </ul>
  );
}
