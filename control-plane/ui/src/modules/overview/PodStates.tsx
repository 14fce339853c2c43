import { Skeleton } from '@mantine/core';
import { IconBox } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useCan } from '@/api/me';
import type { components } from '@/api/schema';
import { EmptyState } from '@/lib/page/EmptyState';
import { ProblemAlert } from '@/lib/page/ProblemAlert';
import { Section } from '@/lib/page/Section';
import { PodPill } from '@/lib/pills/pods';
import { number } from '@/lib/show/units';
import { POD_STATES } from '@/modules/provisioning/routes';
import { podCountsQuery } from './overview';
import classes from './PodStates.module.css';

const POWERS = ['running', 'stopped', 'paused', 'unknown'] as const;

interface Count {
  state: (typeof POD_STATES)[number];
  power: (typeof POWERS)[number];
  count: number;
}

/** By state, those that are active by what their hosts say of their power. */
function countsOf({ by_state, active_by_power }: components['schemas']['CloudPodCounts']): Count[] {
  const counts = POD_STATES.flatMap((state): Count[] => {
    if (state === 'active') return POWERS.map((power) => ({ state, power, count: active_by_power[power] }));
    return state === 'deleted' ? [] : [{ state, power: 'unknown', count: by_state[state] }];
  });
  return counts.filter(({ count }) => count > 0).toSorted((a, b) => b.count - a.count);
}

/** How many pods are in which state. */
export function PodStates() {
  const can = useCan();
  const { data, error, isPending, refetch } = useQuery(podCountsQuery());
  return (
    <Section
      title="CloudPods"
      about={data && data.total > 0 && `${number(data.total)} in all, by state`}
      actions={<Link to="/provisioning/cloudpods">All pods</Link>}
    >
      {isPending && <Skeleton h={120} aria-busy="true" aria-label="Loading the pods" />}
      <ProblemAlert problem={error} retry={() => void refetch()} />
      {data?.total === 0 && (
        <EmptyState icon={IconBox} title="No pods yet">
          {can('cloudpods:write') && <Link to="/provisioning/cloudpods/new">Make the first one</Link>}
        </EmptyState>
      )}
      <ul className={classes.states}>
        {data &&
          countsOf(data).map(({ state, power, count }) => (
            <li key={`${state} ${power}`}>
              <span className={classes.count}>{number(count)}</span>
              <Link to="/provisioning/cloudpods" search={{ state }} className={classes.link}>
                <PodPill state={state} power={power} />
              </Link>
            </li>
          ))}
      </ul>
    </Section>
  );
}
