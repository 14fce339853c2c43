import { Anchor, Text } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { Time } from '@/lib/show/Time';
import { ROLES } from '@/modules/users/roles';
import { UserPill } from '@/modules/users/UserPill';
import type { Overview } from './customers';
import { Rows } from './Rows';

export function UsersPart({ overview: { users, customer } }: { overview: Overview }) {
  const { tenant_id } = customer;
  return (
    <Rows
      title="Users"
      empty="Nobody belongs to it: invite its first owner."
      items={users}
      rowKey={(user) => user.id}
      columns={[
        {
          title: 'Name',
          show: ({ id, name, email }) => (
            <>
              <Anchor
                size="sm"
                renderRoot={(props) => <Link to="/users" search={{ user: id, of: tenant_id }} {...props} />}
              >
                {name}
              </Anchor>
              <Text size="xs" c="dimmed">
                {email}
              </Text>
            </>
          ),
        },
        { title: 'Role', show: ({ role }) => ROLES[role].label },
        { title: 'State', show: ({ suspended_at }) => <UserPill suspendedAt={suspended_at} /> },
        { title: 'Last sign-in', show: ({ last_sign_in_at: at }) => (at ? <Time at={at} /> : 'Never') },
      ]}
      all={
        <Anchor
          size="sm"
          renderRoot={(props) => <Link to="/users" search={{ tenant: tenant_id, invite: true }} {...props} />}
        >
          Invite somebody to it
        </Anchor>
      }
    />
  );
}
