import { Skeleton } from '@mantine/core';
import { IconBox } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useCan } from '@/api/me';
import { EmptyState } from '@/lib/page/EmptyState';
import { ProblemAlert } from '@/lib/page/ProblemAlert';
import { Section } from '@/lib/page/Section';
import { PodPill } from '@/lib/pills/pods';
import { number } from '@/lib/show/units';
import { POD_STATES } from '@/modules/provisioning/routes';
import { COUNTED, podsQuery } from './overview';
import classes from './PodStates.module.css';

/** How many pods are in which state. */
export function PodStates() {
  const can = useCan();
  const query = useQuery(podsQuery());
  const pods = query.data?.items ?? [];
  const counts = Map.groupBy(pods, ({ state, observed_power }) => (state === 'active' ? observed_power : state));
  const about = query.data?.next_page_token
    ? `Of the newest ${COUNTED}, by state`
    : `${number(pods.length)} in all, by state`;
  return (
    <Section
      title="CloudPods"
      about={query.data && pods.length > 0 && about}
      actions={<Link to="/provisioning/cloudpods">All pods</Link>}
    >
      {query.isPending && <Skeleton h={120} aria-busy="true" aria-label="Loading the pods" />}
      <ProblemAlert problem={query.error} retry={() => void query.refetch()} />
      {query.data && pods.length === 0 && (
        <EmptyState icon={IconBox} title="No pods yet">
          {can('cloudpods:write') && <Link to="/provisioning/cloudpods/new">Make the first one</Link>}
        </EmptyState>
      )}
      <ul className={classes.states}>
        {[...counts].map(([name, some]) => {
          const [first] = some;
          return (
            first && (
              <li key={name}>
                <span className={classes.count}>{number(some.length)}</span>
                <Link
                  to="/provisioning/cloudpods"
                  search={{ state: POD_STATES.find((one) => one === first.state) }}
                  className={classes.link}
                >
                  <PodPill state={first.state} power={first.observed_power} />
                </Link>
              </li>
            )
          );
        })}
      </ul>
    </Section>
  );
}
