import { Paper, SimpleGrid, Skeleton, Text } from '@mantine/core';
import type { ReactNode } from 'react';
import type { components } from '@/api/schema';
import { money } from '@/lib/show/money';
import { number, percent } from '@/lib/show/units';

interface Props {
  kpis: components['schemas']['CustomerKpis'] | undefined;
  isPending: boolean;
}

/** All customers in figures. Nothing is converted: there is one sum for each currency. */
export function KpiTiles({ kpis, isPending }: Props) {
  if (!kpis) return isPending ? <Skeleton h={92} /> : null;
  const { total, active, revenue } = kpis;
  return (
    <SimpleGrid component="dl" cols={{ base: 2, md: 4 }} spacing="sm" m={0}>
      <Tile label="Customers">{number(total)}</Tile>
      <Tile label="Active" about={total > 0 ? `${percent(active / total)} of all` : undefined}>
        {number(active)}
      </Tile>
      <Tile label="Revenue" about={revenue.length > 0 ? 'What was paid' : 'Nothing was paid yet'}>
        <Amounts of={revenue.map(({ currency, total_minor }) => ({ currency, amount_minor: total_minor }))} />
      </Tile>
      <Tile label="Average revenue" about={revenue.length > 0 ? 'Of those who have paid' : undefined}>
        <Amounts of={revenue.map(({ currency, average_minor }) => ({ currency, amount_minor: average_minor }))} />
      </Tile>
    </SimpleGrid>
  );
}

function Amounts({ of }: { of: components['schemas']['Money'][] }) {
  if (of.length === 0) return '–';
  return of.map((one) => (
    <Text key={one.currency} inherit fz={of.length > 1 ? 'sm' : undefined}>
      {money(one)}
    </Text>
  ));
}

function Tile({ label, about, children }: { label: string; about?: string; children: ReactNode }) {
  return (
    <Paper withBorder p="sm">
      <Text component="dt" size="xs" c="dimmed">
        {label}
      </Text>
      <Text component="dd" m={0} fz={22} fw={650} lh={1.35}>
        {children}
      </Text>
      {about && (
        <Text component="dd" m={0} size="xs" c="dimmed">
          {about}
        </Text>
      )}
    </Paper>
  );
}
