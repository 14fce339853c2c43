import { Group, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useMemo } from 'react';
import { useCan, useScope } from '@/api/me';
import { TimePlot } from '@/lib/charts/TimePlot';
import { ProblemAlert } from '@/lib/page/ProblemAlert';
import { Section } from '@/lib/page/Section';
import { JobPill } from '@/lib/pills/pills';
import { number } from '@/lib/show/units';
import { endedOf, perWhat } from './jobs';
import { COUNTED, jobsQuery, queueQuery } from './overview';

const SERIES = [
  { name: 'succeeded', label: 'Succeeded', color: 'brand.6' },
  { name: 'failed', label: 'Failed', color: 'red.7' },
];

/** How many jobs ended when, and what is under way. */
export function JobsOverTime() {
  const can = useCan();
  const { isPlatform } = useScope();
  const query = useQuery(jobsQuery());
  const { data, dataUpdatedAt } = query;
  const ended = useMemo(() => data && endedOf(data.items, dataUpdatedAt), [data, dataUpdatedAt]);
  return (
    <Section
      title="Jobs"
      about={data?.next_page_token ? `The newest ${COUNTED}` : undefined}
      actions={<Link to="/provisioning/jobs">All jobs</Link>}
    >
      {isPlatform && can('provisioning:manage') && <Queue />}
      <ProblemAlert problem={query.error} retry={() => void query.refetch()} />
      {!(query.error && !data) && (
        <TimePlot
          title={`Ended ${perWhat(ended?.width ?? 1)}`}
          points={data?.items.length === 0 ? [] : ended?.points}
          series={SERIES}
          show={number}
          kind="bars"
          empty="No job yet: each change of a pod is one."
        />
      )}
    </Section>
  );
}

const STATES = ['queued', 'running', 'undoing', 'stuck'] as const;

/** How many are where at this moment. */
function Queue() {
  const { data } = useQuery(queueQuery());
  return (
    <Group gap="md" mih={22}>
      {data &&
        STATES.map((state) => (
          <Group key={state} gap={6}>
            <Text size="sm" fw={650}>
              {number(data[state])}
            </Text>
            <Link to="/provisioning/jobs" search={{ state }} style={{ textDecoration: 'none' }}>
              <JobPill state={state} />
            </Link>
          </Group>
        ))}
    </Group>
  );
}
