import { Skeleton, Stack, Text } from '@mantine/core';
import { IconAlertTriangle } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import type { Series } from '@/lib/charts/points';
import { TimePlot } from '@/lib/charts/TimePlot';
import { ProblemAlert } from '@/lib/page/ProblemAlert';
import { Section } from '@/lib/page/Section';
import { Pill } from '@/lib/pills/Pill';
import { CapacityBar } from '@/lib/show/CapacityBar';
import { bytes } from '@/lib/show/units';
import { type CloudPod, trafficQuery } from '../pods';

const GIB = 1024 ** 3;

const SERIES: Series[] = [
  { name: 'in', label: 'Received', color: 'brand.6' },
  { name: 'out', label: 'Sent', color: 'teal.6' },
];

const MONTH = new Intl.DateTimeFormat(undefined, { month: 'short', year: 'numeric', timeZone: 'UTC' });
const month = (at: string) => MONTH.format(new Date(at));

/** What a pod received and sent, by month, beside what its plan allows. */
export function TrafficSection({ pod }: { pod: CloudPod }) {
  const { data, error, isPending, refetch } = useQuery(trafficQuery(pod.id));
  return (
    <Section
      title="Traffic"
      about="By month, UTC"
      beside={
        data?.exceeded && (
          <Pill tone="bad" icon={IconAlertTriangle}>
            Used up
          </Pill>
        )
      }
    >
      {isPending && <Skeleton h={80} />}
      <ProblemAlert problem={error} retry={() => void refetch()} />
      {data && (
        <Stack gap="sm">
          {data.limit_gib == null ? (
            <Text size="sm">{bytes(data.used_bytes)} this month; its plan allows any.</Text>
          ) : (
            <CapacityBar label="Traffic" used={data.used_bytes} total={data.limit_gib * GIB} show={bytes} />
          )}
          <TimePlot
            title="Traffic by month"
            points={data.months.toReversed().map(({ in_bytes, out_bytes, ...of }) => ({
              at: `${of.month}-01T00:00:00Z`,
              values: { in: in_bytes, out: out_bytes },
            }))}
            series={SERIES}
            show={bytes}
            kind="bars"
            isBinary
            when={month}
            empty="Its host has told of no traffic yet."
          />
        </Stack>
      )}
    </Section>
  );
}
