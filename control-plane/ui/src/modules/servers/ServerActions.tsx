import { ActionIcon, Button, Menu } from '@mantine/core';
import {
  IconDots,
  IconHandStop,
  IconKey,
  IconLock,
  IconLockOpen,
  IconPencil,
  IconShieldOff,
  IconSkull,
  IconTransferOut,
  IconTrash,
} from '@tabler/icons-react';
import { useCan } from '@/api/me';
import { serverRoute } from './routes';
import type { Drain, Server } from './servers';
import { askCancel, askDelete, askLock, askLost, askRevoke } from './status/ask';

interface Props {
  server: Server;
  drain?: Drain;
}

/** What can be done with a server in its state. */
export function ServerActions({ server, drain }: Props) {
  const can = useCan();
  const navigate = serverRoute.useNavigate();
  if (!can('servers:write')) return null;
  const open = (form: 'edit' | 'drain' | 'online' | 'token') =>
    void navigate({ search: (before) => ({ ...before, open: form }) });
  const state = server.scheduling.state;
  const moving = drain && isUnderWay(drain) ? drain : undefined;
  const isGone = server.connection.state === 'offline';
  const toList = () => void navigate({ to: '/servers' });
  return (
    <>
      {state !== 'online' && (
        <Button size="xs" leftSection={<IconLockOpen aria-hidden size={15} />} onClick={() => open('online')}>
          Open
        </Button>
      )}
      {moving && (
        <Button
          size="xs"
          variant="default"
          leftSection={<IconHandStop aria-hidden size={15} />}
          onClick={() => askCancel(server, moving)}
        >
          {moving.kind === 'drain' ? 'Cancel the drain' : 'Cancel the filling'}
        </Button>
      )}
      {state === 'online' && (
        <Button
          size="xs"
          variant="default"
          leftSection={<IconLock aria-hidden size={15} />}
          onClick={() => askLock(server)}
        >
          Lock
        </Button>
      )}
      <Button
        size="xs"
        variant="default"
        leftSection={<IconTransferOut aria-hidden size={15} />}
        onClick={() => open('drain')}
      >
        {state === 'draining' ? 'Drain again' : 'Drain'}
      </Button>
      <Button
        size="xs"
        variant="default"
        leftSection={<IconPencil aria-hidden size={15} />}
        onClick={() => open('edit')}
      >
        Edit
      </Button>
      <Menu position="bottom-end">
        <Menu.Target>
          <ActionIcon variant="default" size={30} aria-label="More to do with this server">
            <IconDots aria-hidden size={16} />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item leftSection={<IconKey aria-hidden size={15} />} onClick={() => open('token')}>
            New enrolment token
          </Menu.Item>
          <Menu.Item leftSection={<IconShieldOff aria-hidden size={15} />} onClick={() => askRevoke(server)}>
            Revoke its certificates
          </Menu.Item>
          <Menu.Divider />
          {can('servers:manage') && (
            <Menu.Item
              leftSection={<IconSkull aria-hidden size={15} />}
              c="error"
              disabled={!isGone}
              onClick={() => askLost(server)}
            >
              {isGone ? 'Declare lost' : 'Declare lost (only while it is offline)'}
            </Menu.Item>
          )}
          <Menu.Item
            leftSection={<IconTrash aria-hidden size={15} />}
            c="error"
            onClick={() => askDelete(server, toList)}
          >
            Delete
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
    </>
  );
}

function isUnderWay({ state }: Drain): boolean {
  return state === 'running' || state === 'blocked';
}
