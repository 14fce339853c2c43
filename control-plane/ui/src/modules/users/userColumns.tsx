import { Stack, Text } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { useScope } from '@/api/me';
import { type Column, rowLink } from '@/lib/list/List';
import { Time } from '@/lib/show/Time';
import { RoleSelect } from './RoleSelect';
import { UserMenu } from './UserMenu';
import { UserPill } from './UserPill';
import type { User } from './users';

export function useUserColumns(): Column<User>[] {
  const { isPlatform } = useScope();
  const tenant: Column<User> = {
    key: 'tenant',
    title: 'Tenant',
    show: ({ tenant_name }) => (
      <Text size="sm" component="span">
        {tenant_name}
      </Text>
    ),
  };
  return [NAME, ...(isPlatform ? [tenant] : []), ...FACTS];
}

const NAME: Column<User> = {
  key: 'name',
  title: 'Name and address',
  sort: 'email',
  show: ({ id, tenant_id, name, email }) => (
    <Stack gap={0} miw={0}>
      <Link from="/users" to="/users" search={(before) => ({ ...before, user: id, of: tenant_id })} {...rowLink}>
        {name}
      </Link>
      <Text size="xs" c="dimmed" style={{ overflowWrap: 'anywhere' }}>
        {email}
      </Text>
    </Stack>
  ),
};

const FACTS: Column<User>[] = [
  { key: 'role', title: 'Role', width: 150, show: (user) => <RoleSelect user={user} /> },
  {
    key: 'state',
    title: 'State',
    width: 130,
    show: (user) => <UserPill suspendedAt={user.account_suspended_at ?? user.suspended_at} />,
  },
  {
    key: 'last_sign_in_at',
    title: 'Last sign-in',
    width: 150,
    show: ({ last_sign_in_at }) => <When at={last_sign_in_at} otherwise="Never" />,
  },
  { key: 'joined_at', title: 'Joined', from: 'lg', width: 150, show: ({ joined_at }) => <When at={joined_at} /> },
  { key: 'actions', title: 'Actions', width: 80, show: (user) => <UserMenu user={user} /> },
];

export function When({ at, otherwise = '–' }: { at: string | null | undefined; otherwise?: string }) {
  return (
    <Text size="sm" component="span" c={at ? undefined : 'dimmed'}>
      {at ? <Time at={at} /> : otherwise}
    </Text>
  );
}
