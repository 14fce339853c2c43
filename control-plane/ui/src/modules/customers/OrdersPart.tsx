import { Stack, Text } from '@mantine/core';
import {
  IconAlertTriangle,
  IconArrowBackUp,
  IconBan,
  IconCheck,
  IconClock,
  IconHandStop,
  IconHourglass,
  type TablerIcon,
} from '@tabler/icons-react';
import { Pill, type Tone } from '@/lib/pills/Pill';
import { money } from '@/lib/show/money';
import { Time } from '@/lib/show/Time';
import type { Overview } from './customers';
import { Rows } from './Rows';

const SUBSCRIPTION: Record<string, [Tone, TablerIcon, string]> = {
  trialing: ['busy', IconHourglass, 'Trial'],
  active: ['good', IconCheck, 'Active'],
  past_due: ['warn', IconAlertTriangle, 'Past due'],
  suspended: ['bad', IconHandStop, 'Suspended'],
  cancelled: ['plain', IconBan, 'Cancelled'],
};

const ORDER: Record<string, [Tone, TablerIcon, string]> = {
  open: ['busy', IconClock, 'Open'],
  paid: ['good', IconCheck, 'Paid'],
  refunded: ['plain', IconArrowBackUp, 'Refunded'],
  cancelled: ['plain', IconBan, 'Cancelled'],
};

/** What the customer pays again and again, and what it was to pay. */
export function OrdersPart({ overview: { subscriptions, orders } }: { overview: Overview }) {
  return (
    <Stack gap="lg">
      <Rows
        title="Subscriptions"
        empty="It has none."
        items={subscriptions}
        rowKey={(one) => one.id}
        columns={[
          { title: 'Plan', show: ({ plan_name }) => plan_name ?? '–' },
          { title: 'For', show: ({ cloudpod_name }) => cloudpod_name ?? '–' },
          { title: 'State', show: ({ status }) => <Status look={SUBSCRIPTION[status]} status={status} /> },
          { title: 'Price', show: ({ price, interval_months }) => `${money(price)} ${every(interval_months)}` },
          { title: 'Paid until', show: ({ current_period_end: at }) => (at ? <Time at={at} /> : '–') },
          { title: 'Since', show: ({ created_at }) => <Time at={created_at} /> },
        ]}
      />
      <Rows
        title="Orders"
        empty="There are none."
        items={orders}
        rowKey={(one) => one.id}
        columns={[
          { title: 'What', show: ({ description }) => description },
          { title: 'State', show: ({ status, due_at }) => <OrderStatus status={status} due={due_at} /> },
          { title: 'Amount', show: ({ amount }) => money(amount) },
          { title: 'Due', show: ({ due_at }) => <Time at={due_at} /> },
          { title: 'Paid', show: ({ paid_at }) => (paid_at ? <Time at={paid_at} /> : '–') },
        ]}
      />
      <Text size="xs" c="dimmed">
        They are kept by the billing, and only shown here.
      </Text>
    </Stack>
  );
}

function OrderStatus({ status, due }: { status: string; due: string }) {
  if (status === 'open' && Date.parse(due) < Date.now()) {
    return (
      <Pill tone="bad" icon={IconAlertTriangle}>
        Overdue
      </Pill>
    );
  }
  return <Status look={ORDER[status]} status={status} />;
}

function Status({ look, status }: { look: [Tone, TablerIcon, string] | undefined; status: string }) {
  const [tone, icon, label] = look ?? ['plain', IconClock, status];
  return (
    <Pill tone={tone} icon={icon}>
      {label}
    </Pill>
  );
}

function every(months: number): string {
  if (months === 1) return 'a month';
  return months === 12 ? 'a year' : `every ${months} months`;
}
