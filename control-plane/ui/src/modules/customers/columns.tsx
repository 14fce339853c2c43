import { Group, Stack, Text } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { type Column, rowLink } from '@/lib/list/List';
import { money } from '@/lib/show/money';
import { Time } from '@/lib/show/Time';
import { number } from '@/lib/show/units';
import { TenantPill } from '@/modules/settings/tenants/TenantPill';
import type { Customer } from './customers';
import { Score } from './Score';

export const columns: Column<Customer>[] = [
  {
    key: 'name',
    title: 'Name',
    sort: 'name',
    show: ({ tenant_id, name, company, country }) => (
      <Stack gap={0} miw={0}>
        <Link
          from="/customers"
          to="/customers"
          search={(before) => ({ ...before, customer: tenant_id, part: undefined })}
          {...rowLink}
        >
          {name}
        </Link>
        <Text size="xs" c="dimmed">
          {[company, country].filter(Boolean).join(' · ') || 'No profile'}
        </Text>
      </Stack>
    ),
  },
  { key: 'state', title: 'State', show: ({ suspension }) => <TenantPill suspension={suspension} /> },
  { key: 'health', title: 'Health', width: 120, show: ({ health }) => <Score health={health} /> },
  { key: 'cloudpods', title: 'Pods', width: 80, show: ({ cloudpods }) => number(cloudpods) },
  { key: 'users', title: 'Users', width: 80, from: 'md', show: ({ users }) => number(users) },
  {
    key: 'revenue',
    title: 'Revenue',
    show: ({ revenue }) =>
      revenue.length === 0 ? (
        <Text size="sm" c="dimmed" component="span">
          –
        </Text>
      ) : (
        <Group gap={8}>
          {revenue.map((one) => (
            <Text key={one.currency} size="sm" component="span">
              {money(one)}
            </Text>
          ))}
        </Group>
      ),
  },
  {
    key: 'last_active_at',
    title: 'Last active',
    width: 130,
    from: 'md',
    show: ({ last_active_at }) => (
      <Text size="sm" component="span" c={last_active_at ? undefined : 'dimmed'}>
        {last_active_at ? <Time at={last_active_at} /> : 'Never'}
      </Text>
    ),
  },
  {
    key: 'created_at',
    title: 'Since',
    sort: 'created_at',
    width: 130,
    from: 'lg',
    show: ({ created_at }) => (
      <Text size="sm" component="span">
        <Time at={created_at} />
      </Text>
    ),
  },
];
