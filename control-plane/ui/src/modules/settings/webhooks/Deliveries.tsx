import { IconCheck, IconClock, IconSend, IconX } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { FilterSelect, Filters, useIsFiltered } from '@/lib/list/Filters';
import { type Column, List, rowLink } from '@/lib/list/List';
import { OpenDrawer } from '@/lib/open/OpenDrawer';
import { EmptyState } from '@/lib/page/EmptyState';
import { Pill } from '@/lib/pills/Pill';
import { Time } from '@/lib/show/Time';
import { number } from '@/lib/show/units';
import { webhookRoute } from '../routes';
import { DeliveryDetail } from './DeliveryDetail';
import { type Delivery, deliveriesQuery } from './webhooks';

const FILTERS = ['state'];
const STATES = [
  { value: 'pending', label: 'Pending' },
  { value: 'delivered', label: 'Delivered' },
  { value: 'failed', label: 'Failed' },
];

export function Deliveries({ id }: { id: string }) {
  const { limit, page_token, state } = webhookRoute.useSearch();
  const query = useQuery(deliveriesQuery(id, { limit, page_token, state }));
  return (
    <>
      <Filters names={FILTERS}>
        <FilterSelect name="state" label="State" options={STATES} />
      </Filters>
      <List label="Deliveries" query={query} rowKey={(one) => one.id} columns={COLUMNS} empty={<Nothing />} />
      <OpenDrawer name="delivery" title="Delivery" size={640}>
        {(delivery) => <DeliveryDetail webhook={id} id={delivery} />}
      </OpenDrawer>
    </>
  );
}

const COLUMNS: Column<Delivery>[] = [
  {
    key: 'event',
    title: 'Event',
    show: ({ id, event }) => (
      <Link
        from="/settings/webhooks/$id"
        to="/settings/webhooks/$id"
        params={(before) => before}
        search={(before) => ({ ...before, delivery: id })}
        {...rowLink}
      >
        {event}
      </Link>
    ),
  },
  { key: 'state', title: 'State', width: 140, show: ({ state }) => <DeliveryPill state={state} /> },
  { key: 'attempt', title: 'Tries', width: 80, show: ({ attempt }) => number(attempt) },
  { key: 'next_at', title: 'Next try', width: 150, show: ({ next_at }) => (next_at ? <Time at={next_at} /> : '–') },
  { key: 'created_at', title: 'Made', width: 150, show: ({ created_at }) => <Time at={created_at} /> },
];

export function DeliveryPill({ state }: { state: string }) {
  if (state === 'delivered') {
    return (
      <Pill tone="good" icon={IconCheck}>
        Delivered
      </Pill>
    );
  }
  return state === 'failed' ? (
    <Pill tone="bad" icon={IconX}>
      Failed
    </Pill>
  ) : (
    <Pill tone="busy" icon={IconClock}>
      Pending
    </Pill>
  );
}

function Nothing() {
  const isFiltered = useIsFiltered(FILTERS);
  return isFiltered ? (
    <EmptyState icon={IconSend} title="No delivery is in this state" />
  ) : (
    <EmptyState icon={IconSend} title="Nothing was sent yet">
      The next event is; or send a test.
    </EmptyState>
  );
}
