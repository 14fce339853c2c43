import { Group, Progress, Stack, Text, Title } from '@mantine/core';
import type { components } from '@/api/schema';
import { words } from '@/lib/jobs/job';
import { Facts } from '@/lib/show/Facts';
import { number } from '@/lib/show/units';
import { lost } from './Score';

type Health = components['schemas']['CustomerHealth'];

/** What a part's value counts. */
const UNITS: Record<string, string> = {
  overdue_payment: 'days overdue',
  failed_jobs: '% of jobs failed',
  suspended_pods: '% of pods suspended',
  inactivity: 'days away',
  quota_pressure: '% of a quota',
};

/** Of what the score is made, part by part. */
export function HealthPart({ health: { score, parts } }: { health: Health }) {
  return (
    <Stack gap="md">
      <Text size="sm">
        <b>{score} of 100</b>: the mean of the scores below by their weights, rounded down.
      </Text>
      <Stack component="ul" gap="md" m={0} p={0} style={{ listStyle: 'none' }}>
        {parts.map((part) => (
          <PartRow key={part.name} part={part} />
        ))}
      </Stack>
    </Stack>
  );
}

function PartRow({ part }: { part: Health['parts'][number] }) {
  const { name, weight, value, score, reason } = part;
  return (
    <Stack component="li" gap={4}>
      <Group justify="space-between" gap="xs" wrap="nowrap" align="baseline">
        <Title order={3}>{words(name)}</Title>
        <Text size="sm" fw={600} style={{ whiteSpace: 'nowrap' }}>
          {score} of 100
        </Text>
      </Group>
      <Progress
        value={score}
        size={6}
        color={score >= 80 ? 'green' : score >= 50 ? 'yellow' : 'red'}
        aria-label={`${words(name)}: ${score} of 100`}
      />
      <Text size="sm">{reason.charAt(0).toUpperCase() + reason.slice(1)}</Text>
      <Facts
        facts={[
          { title: 'Value', value: `${number(value)} ${UNITS[name] ?? ''}` },
          { title: 'Weight', value: `${weight} %` },
          { title: 'Points lost', value: lost(part) === 0 ? 'None' : lost(part).toFixed(1) },
        ]}
      />
    </Stack>
  );
}
