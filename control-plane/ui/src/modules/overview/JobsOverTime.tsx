import { Group, SegmentedControl, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { useCan, useScope } from '@/api/me';
import { TimePlot } from '@/lib/charts/TimePlot';
import { ProblemAlert } from '@/lib/page/ProblemAlert';
import { Section } from '@/lib/page/Section';
import { JobPill } from '@/lib/pills/pills';
import { number } from '@/lib/show/units';
import { jobHistoryQuery, queueQuery } from './overview';

const SERIES = [
  { name: 'succeeded', label: 'Succeeded', color: 'brand.6' },
  { name: 'failed', label: 'Failed', color: 'red.7' },
  { name: 'cancelled', label: 'Cancelled', color: 'gray.6' },
  { name: 'stuck', label: 'Stuck', color: 'orange.7' },
];

const RANGES = {
  hour: { label: '1 hour', title: 'Ended per minute', step: 60, steps: 60 },
  day: { label: '24 hours', title: 'Ended per hour', step: 3600, steps: 24 },
  week: { label: '7 days', title: 'Ended per hour', step: 3600, steps: 168 },
};
type Range = keyof typeof RANGES;
const NAMES = Object.keys(RANGES) as Range[];

/** How many jobs ended when, and what is under way. */
export function JobsOverTime() {
  const can = useCan();
  const { isPlatform } = useScope();
  const [name, setName] = useState<Range>('hour');
  const range = RANGES[name];
  const { data, error, refetch } = useQuery(jobHistoryQuery(range));
  const points = data?.items.map(({ at, ...values }) => ({ at, values }));
  const hasEnded = points?.some(({ values }) => Object.values(values).some((count) => count > 0));
  return (
    <Section title="Jobs" actions={<Link to="/provisioning/jobs">All jobs</Link>}>
      <Group justify="space-between" gap="xs">
        {isPlatform && can('provisioning:manage') && <Queue />}
        <SegmentedControl
          size="xs"
          aria-label="How long a time"
          data={NAMES.map((one) => ({ value: one, label: RANGES[one].label }))}
          value={name}
          onChange={(value) => setName(NAMES.find((one) => one === value) ?? 'hour')}
        />
      </Group>
      <ProblemAlert problem={error} retry={() => void refetch()} />
      {!(error && !data) && (
        <TimePlot
          title={range.title}
          points={hasEnded === false ? [] : points}
          series={SERIES}
          show={number}
          kind="bars"
          empty="No job ended in this time: each change of a pod is one."
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
