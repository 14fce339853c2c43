import { Button, Group, SegmentedControl, SimpleGrid, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { TimePlot } from '@/lib/charts/TimePlot';
import { ProblemAlert } from '@/lib/page/ProblemAlert';
import { Section } from '@/lib/page/Section';
import { exact } from '@/lib/show/Time';
import { gib, mib, percent } from '@/lib/show/units';
import { serverRoute } from '../routes';
import type { Server } from '../servers';
import { healthQuery, RANGES, type Range, thinned } from './health';

const OPTIONS = [
  { value: '1h', label: '1 hour' },
  { value: '6h', label: '6 hours' },
  { value: 'day', label: '24 hours' },
  { value: 'week', label: '7 days' },
  { value: 'month', label: '30 days' },
];

const NAMES = Object.keys(RANGES) as Range[];

/** How the host was doing over time. */
export function Health({ server }: { server: Server }) {
  const { range = 'day', until } = serverRoute.useSearch();
  const navigate = serverRoute.useNavigate();
  const query = useQuery(healthQuery(server.id, range, until));
  const choose = (value: string) => {
    const next = NAMES.find((one) => one === value);
    void navigate({ search: (before) => ({ ...before, range: next === 'day' ? undefined : next }), replace: true });
  };
  const step = (times: number) => {
    const end = (until ?? Date.now()) + times * RANGES[range];
    void navigate({ search: (before) => ({ ...before, until: end < Date.now() ? end : undefined }) });
  };
  const samples = query.data && thinned(query.data.items);
  const isMean = samples?.some((sample) => sample.samples > 1);
  const points = (of: (sample: NonNullable<typeof samples>[number]) => number) =>
    samples?.map((sample) => ({ at: sample.at, values: { used: of(sample) } }));
  const newest = samples?.at(-1);
  const series = [{ name: 'used', label: 'In use', color: 'brand.6' }];
  const empty = 'No samples in this time: they are taken while its agent is heard.';
  return (
    <Stack gap="sm">
      <Group justify="space-between" gap="xs">
        <Group gap="xs">
          <SegmentedControl size="xs" data={OPTIONS} value={range} onChange={choose} aria-label="How long a time" />
          <Button.Group>
            <Button size="xs" variant="default" onClick={() => step(-1)}>
              Earlier
            </Button>
            <Button size="xs" variant="default" disabled={until === undefined} onClick={() => step(1)}>
              Later
            </Button>
          </Button.Group>
        </Group>
        <Text size="xs" c="dimmed">
          {until === undefined ? 'Until now' : `Until ${exact(new Date(until).toISOString())}`}
          {isMean && ', each point is a mean'}
        </Text>
      </Group>
      <ProblemAlert problem={query.error} retry={() => void query.refetch()} />
      {!(query.error && !query.data) && (
        <SimpleGrid cols={{ base: 1, lg: 3 }} spacing="md">
          <Section title="Processor">
            <TimePlot
              title="Load of all threads"
              points={points((sample) => sample.cpu_load)}
              series={series}
              show={percent}
              max={1}
              empty={empty}
            />
          </Section>
          <Section title="Memory">
            <TimePlot
              title={newest ? `In use, of ${mib(newest.memory_total_mib)}` : 'In use'}
              points={points((sample) => sample.memory_used_mib)}
              series={series}
              show={mib}
              max={newest?.memory_total_mib}
              empty={empty}
            />
          </Section>
          <Section title="Storage">
            <TimePlot
              title={newest ? `In use, of ${gib(newest.storage_total_gib)} in all` : 'In use'}
              points={points((sample) => sample.storage_used_gib)}
              series={series}
              show={gib}
              max={newest?.storage_total_gib}
              empty={empty}
            />
          </Section>
        </SimpleGrid>
      )}
    </Stack>
  );
}
