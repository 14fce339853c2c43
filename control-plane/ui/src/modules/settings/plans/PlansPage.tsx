import { Anchor, Skeleton, Text } from '@mantine/core';
import { IconTags, IconZoomExclamation } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useCan } from '@/api/me';
import { FilterSelect, Filters, useIsFiltered } from '@/lib/list/Filters';
import { type Column, List, rowLink } from '@/lib/list/List';
import { OpenDrawer } from '@/lib/open/OpenDrawer';
import { EmptyState } from '@/lib/page/EmptyState';
import { Page } from '@/lib/page/Page';
import { ProblemAlert } from '@/lib/page/ProblemAlert';
import { money } from '@/lib/show/money';
import { gib, mib, number } from '@/lib/show/units';
import { ACTIVE_OPTIONS, ActivePill, isTrue } from '../ActivePill';
import { AddButton } from '../AddButton';
import { plansRoute } from '../routes';
import { PlanAdd, PlanEdit } from './PlanForm';
import { type Plan, planQuery, plansQuery } from './plans';

const FILTERS = ['active'];

export function PlansPage() {
  const { limit, page_token, active } = plansRoute.useSearch();
  const can = useCan();
  const query = useQuery(plansQuery({ limit, page_token, active: isTrue(active) }));
  const mayWrite = can('plans:write');
  return (
    <Page title="Plans" about="Sizes and prices of CloudPods" actions={mayWrite && <AddButton label="Add a plan" />}>
      <Filters names={FILTERS}>
        <FilterSelect name="active" label="State" options={ACTIVE_OPTIONS} />
      </Filters>
      <List label="Plans" query={query} rowKey={(plan) => plan.id} columns={COLUMNS} empty={<Nothing />} />
      <OpenDrawer name="plan" title="Plan">
        {(id, close) => <Opened id={id} close={close} />}
      </OpenDrawer>
      {mayWrite && (
        <OpenDrawer name="add" title="Add a plan">
          {(_, close) => <PlanAdd close={close} />}
        </OpenDrawer>
      )}
    </Page>
  );
}

const COLUMNS: Column<Plan>[] = [
  {
    key: 'name',
    title: 'Name',
    show: ({ id, name }) => (
      <Link from="/settings/plans" to="/settings/plans" search={(before) => ({ ...before, plan: id })} {...rowLink}>
        {name}
      </Link>
    ),
  },
  {
    key: 'active',
    title: 'State',
    show: ({ active }) => <ActivePill active={active} about="No new CloudPods are made of it" />,
  },
  { key: 'vcpu', title: 'vCPU', show: ({ vcpu }) => number(vcpu) },
  { key: 'memory', title: 'Memory', show: ({ memory_mib }) => mib(memory_mib) },
  { key: 'disk', title: 'Disk', show: ({ disk_gib }) => gib(disk_gib) },
  {
    key: 'traffic',
    title: 'Traffic a month',
    show: ({ traffic_gib }) => (traffic_gib == null ? 'Unlimited' : gib(traffic_gib)),
  },
  {
    key: 'price',
    title: 'Price a month',
    show: ({ price_minor, currency }) => (
      <Text size="sm" fw={600} component="span">
        {money({ amount_minor: price_minor, currency })}
      </Text>
    ),
  },
];

function Opened({ id, close }: { id: string; close: () => void }) {
  const query = useQuery(planQuery(id));
  if (query.isPending) return <Skeleton h={320} />;
  if (!query.data) return <ProblemAlert problem={query.error} retry={() => void query.refetch()} />;
  return <PlanEdit plan={query.data} close={close} />;
}

function Nothing() {
  const isFiltered = useIsFiltered(FILTERS);
  if (!isFiltered) {
    return (
      <EmptyState icon={IconTags} title="There are no plans yet">
        Add one: customers choose a plan when they make a CloudPod.
      </EmptyState>
    );
  }
  return (
    <EmptyState icon={IconZoomExclamation} title="No plan is like this">
      <Anchor renderRoot={(props) => <Link to="/settings/plans" {...props} />}>Show all plans</Anchor>.
    </EmptyState>
  );
}
