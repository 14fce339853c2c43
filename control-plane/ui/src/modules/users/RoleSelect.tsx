import { Select, Text } from '@mantine/core';
import { api, ifMatch, unwrap } from '@/api/client';
import { useCan, useMe } from '@/api/me';
import { confirm } from '@/lib/confirm/confirm';
import { ROLES, useGivable } from './roles';
import type { Role, User } from './users';

/** Somebody's role; a choice for those who may give it. */
export function RoleSelect({ user }: { user: User }) {
  const can = useCan();
  const { user: me } = useMe();
  const givable = useGivable();
  if (!can('users:write') || !givable.includes(user.role)) return <Text size="sm">{ROLES[user.role].label}</Text>;
  const options = [...givable].reverse().map((value) => ({ value, label: ROLES[value].label }));
  return (
    <Select
      size="xs"
      w={120}
      aria-label={`Role of ${user.email}`}
      data={options}
      allowDeselect={false}
      value={user.role}
      onChange={(role) => role && role !== user.role && ask(user, role, user.id === me?.id)}
    />
  );
}

function ask(user: User, role: Role, isMe: boolean): void {
  const { id, tenant_id, name, version } = user;
  const { label, about } = ROLES[role];
  confirm({
    title: `${name}: ${ROLES[user.role].label} to ${label}`,
    children: (
      <>
        {isMe ? 'This is your own role. ' : ''}
        {label}: {about.charAt(0).toLowerCase() + about.slice(1)}. It counts at once.
      </>
    ),
    label: `Make ${isMe ? 'me' : 'them'} ${label}`,
    isDanger: isMe,
    changes: isMe ? ['user', 'me'] : ['user'],
    run: () =>
      unwrap(
        api.PATCH('/api/admin/users/{id}/role', {
          params: { path: { id }, query: { tenant_id } },
          headers: ifMatch(version),
          body: { role },
        }),
      ),
  });
}
