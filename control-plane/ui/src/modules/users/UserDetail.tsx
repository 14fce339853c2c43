import { Button, Group, Skeleton, Stack, Text, Title } from '@mantine/core';
import { IconHistory } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useCan } from '@/api/me';
import { ProblemAlert } from '@/lib/page/ProblemAlert';
import { Facts } from '@/lib/show/Facts';
import { RoleSelect } from './RoleSelect';
import { ROLES, useGivable } from './roles';
import { SignIns, TokensOf } from './SignIns';
import { reactivate, suspend } from './suspend';
import { UserPill } from './UserPill';
import { When } from './userColumns';
import { userQuery } from './users';

export function UserDetail({ id, tenant }: { id: string; tenant: string | undefined }) {
  const query = useQuery(userQuery(id, tenant));
  const can = useCan();
  const givable = useGivable();
  if (query.isPending) return <Skeleton h={220} />;
  const user = query.data;
  if (!user) return <ProblemAlert problem={query.error} retry={() => void query.refetch()} />;
  const { name, email, role, suspended_at, account_suspended_at, last_sign_in_at, joined_at, tenant_name } = user;
  const maySuspend = can('users:write') && givable.includes(role);
  return (
    <Stack gap="md">
      <div>
        <Group gap="xs">
          <Title order={3} fz="lg">
            {name}
          </Title>
          <UserPill suspendedAt={account_suspended_at ?? suspended_at} />
        </Group>
        <Text size="sm" c="dimmed" style={{ overflowWrap: 'anywhere' }}>
          {email}
        </Text>
      </div>
      <Facts
        facts={[
          ...(can('tenants:read') ? [{ title: 'Tenant', value: tenant_name }] : []),
          { title: 'Joined', value: <When at={joined_at} /> },
          { title: 'Last sign-in', value: <When at={last_sign_in_at} otherwise="Never" /> },
          ...(suspended_at ? [{ title: 'Suspended', value: <When at={suspended_at} /> }] : []),
          ...(account_suspended_at
            ? [{ title: 'Shut out everywhere, by the platform', value: <When at={account_suspended_at} /> }]
            : []),
        ]}
      />
      <Stack gap={4}>
        <Title order={3}>Role</Title>
        <RoleSelect user={user} />
        <Text size="xs" c="dimmed">
          {ROLES[role].about}
        </Text>
      </Stack>
      {can('users:write') && <SignIns user={user} />}
      {can('tokens:manage') && <TokensOf user={user} />}
      <Group gap="xs">
        {can('audit:read') && (
          <Button
            variant="default"
            leftSection={<IconHistory aria-hidden size={16} />}
            renderRoot={(props) => <Link to="/audit" search={{ actor: `user:${id}` }} {...props} />}
          >
            What they did
          </Button>
        )}
        {maySuspend &&
          (suspended_at ? (
            <Button onClick={() => reactivate(user)}>Reactivate</Button>
          ) : (
            <Button variant="light" color="red" onClick={() => suspend(user)}>
              Suspend
            </Button>
          ))}
      </Group>
    </Stack>
  );
}
