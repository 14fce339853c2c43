import { Group, SegmentedControl, SimpleGrid, Skeleton, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { useCan } from '@/api/me';
import { ProblemAlert } from '@/lib/page/ProblemAlert';
import { Section } from '@/lib/page/Section';
import { CapacityBar } from '@/lib/show/CapacityBar';
import { gib, mib, number, percent } from '@/lib/show/units';
import classes from './Capacity.module.css';
import { type Fleet, fleetQuery } from './overview';

const MEASURES = {
  memory_mib: { label: 'Memory', show: mib },
  vcpu: { label: 'vCPU', show: number },
  disk_gib: { label: 'Disk', show: gib },
};

type Name = keyof typeof MEASURES;

const NAMES = Object.keys(MEASURES) as Name[];
/** What is reserved of the fleet in all, and by server. */
export function Capacity() {
  const [name, setName] = useState<Name>('memory_mib');
  const can = useCan();
  const query = useQuery(fleetQuery());
  if (query.isPending) return <Skeleton h={260} aria-busy="true" aria-label="Loading the capacity" />;
  if (!query.data) return <ProblemAlert problem={query.error} retry={() => void query.refetch()} />;
  const { servers, capacity, fullest } = query.data;
  return (
    <Section
      title="Capacity"
      about={
        servers.total === 0
          ? 'No server yet'
          : `${number(servers.total)} ${servers.total === 1 ? 'server' : 'servers'}: ${number(servers.by_connection.online)} online, ${number(servers.by_scheduling.online)} open to new pods`
      }
      actions={
        <Link to="/servers">{servers.total === 0 && can('servers:write') ? 'Add the first one' : 'All servers'}</Link>
      }
    >
      {servers.total > 0 && (
        <Stack gap="md">
          <SimpleGrid cols={{ base: 1, xs: 3 }} spacing="lg">
            {NAMES.map((one) => {
              const { label, show } = MEASURES[one];
              const { reserved, total } = capacity[one];
              return (
                <div key={one}>
                  <Text size="xs" fw={600} mb={2}>
                    {label}
                  </Text>
                  <CapacityBar label={`${label} in all`} used={reserved} total={total} show={show} />
                </div>
              );
            })}
          </SimpleGrid>
          <Group justify="space-between" gap="xs">
            <Text size="sm" fw={600}>
              {servers.total > fullest.length ? `The ${fullest.length} fullest servers` : 'By server'}
            </Text>
            <SegmentedControl
              size="xs"
              aria-label="By what"
              data={NAMES.map((one) => ({ value: one, label: MEASURES[one].label }))}
              value={name}
              onChange={(value) => setName(NAMES.find((one) => one === value) ?? 'memory_mib')}
            />
          </Group>
          <Bars servers={fullest} name={name} />
        </Stack>
      )}
    </Section>
  );
}

/** A bar for each of the fullest servers. */
function Bars({ servers, name }: { servers: Fleet['fullest']; name: Name }) {
  const { label, show } = MEASURES[name];
  const bars = servers.map(({ id, name: server, [name]: { reserved, total } }) => {
    return { id, server, reserved, total, share: total > 0 ? reserved / total : 0 };
  });
  return (
    <ul className={classes.bars} aria-label={`${label} by server`}>
      {bars
        .toSorted((a, b) => b.share - a.share)
        .map(({ id, server, reserved, total, share }) => (
          <li key={id} className={classes.row}>
            <Link to="/servers/$server" params={{ server }} className={classes.name}>
              {server}
            </Link>
            <span className={classes.track} aria-hidden>
              <span
                className={classes.fill}
                data-full={share >= 0.95 || undefined}
                style={{ width: `${Math.min(100, share * 100)}%` }}
              />
            </span>
            <span className={classes.value}>
              {total > 0 ? (
                <>
                  {percent(share)}{' '}
                  <span className={classes.amount}>
                    {show(reserved)} / {show(total)}
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
