import { ActionIcon, Menu } from '@mantine/core';
import {
  IconBan,
  IconDotsVertical,
  IconHistory,
  IconKey,
  IconUserCheck,
  IconUserMinus,
  IconUserShield,
} from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import { useMe } from '@/api/me';
import { reactivateAccount, recover, setStaff, suspendAccount } from './accountAsks';
import type { Account } from './accounts';

/** What the staff can do with an account: with their own, nothing that would shut them out. */
export function AccountMenu({ account }: { account: Account }) {
  const { user } = useMe();
  const isOwn = user?.id === account.id;
  return (
    <Menu position="bottom-end" width={240}>
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" aria-label={`Actions for ${account.email}`}>
          <IconDotsVertical aria-hidden size={16} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item
          leftSection={<IconHistory aria-hidden size={16} />}
          renderRoot={(props) => <Link to="/audit" search={{ actor: `user:${account.id}` }} {...props} />}
        >
          What they did
        </Menu.Item>
        {!isOwn && (
          <>
            <Menu.Item leftSection={<IconKey aria-hidden size={16} />} onClick={() => recover(account)}>
              Let in anew
            </Menu.Item>
            <Menu.Item
              leftSection={
                account.staff ? <IconUserMinus aria-hidden size={16} /> : <IconUserShield aria-hidden size={16} />
              }
              onClick={() => setStaff(account)}
            >
              {account.staff ? 'No longer of the staff' : 'Make one of the staff'}
            </Menu.Item>
            {account.suspended_at ? (
              <Menu.Item
                leftSection={<IconUserCheck aria-hidden size={16} />}
                onClick={() => reactivateAccount(account)}
              >
                Reactivate
              </Menu.Item>
            ) : (
              <Menu.Item
                c="red"
                leftSection={<IconBan aria-hidden size={16} />}
                onClick={() => suspendAccount(account)}
              >
                Suspend everywhere
              </Menu.Item>
            )}
          </>
        )}
      </Menu.Dropdown>
    </Menu>
  );
}
