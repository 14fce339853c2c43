import { ActionIcon, Menu } from '@mantine/core';
import { IconBan, IconDotsVertical, IconHistory, IconUserCheck } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import { useCan } from '@/api/me';
import { useGivable } from './roles';
import { reactivate, suspend } from './suspend';
import type { User } from './users';

/** What can be done with one of the people. */
export function UserMenu({ user }: { user: User }) {
  const can = useCan();
  const givable = useGivable();
  const maySuspend = can('users:write') && givable.includes(user.role);
  const mayAudit = can('audit:read');
  if (!maySuspend && !mayAudit) return null;
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" aria-label={`Actions for ${user.email}`}>
          <IconDotsVertical aria-hidden size={16} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        {mayAudit && (
          <Menu.Item
            leftSection={<IconHistory aria-hidden size={16} />}
            renderRoot={(props) => <Link to="/audit" search={{ actor: `user:${user.id}` }} {...props} />}
          >
            What they did
          </Menu.Item>
        )}
        {maySuspend &&
          (user.suspended_at ? (
            <Menu.Item leftSection={<IconUserCheck aria-hidden size={16} />} onClick={() => reactivate(user)}>
              Reactivate
            </Menu.Item>
          ) : (
            <Menu.Item c="red" leftSection={<IconBan aria-hidden size={16} />} onClick={() => suspend(user)}>
              Suspend
            </Menu.Item>
          ))}
      </Menu.Dropdown>
    </Menu>
  );
}
