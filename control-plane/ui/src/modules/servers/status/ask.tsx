// What is asked before a server is changed in a way that cannot simply be taken back.
import { Text } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { api, ifMatch, unwrap } from '@/api/client';
import { confirm } from '@/lib/confirm/confirm';
import { number } from '@/lib/show/units';
import type { Drain, Server } from '../servers';

const path = ({ id }: Server) => ({ path: { id } });

/** What becomes of the pods on it, said of one or of several. */
function pods({ reserved }: Server, one: string, several: string): string {
  if (reserved.pods === 0) return 'No pod is on it.';
  return reserved.pods === 1 ? `The pod on it ${one}.` : `The ${number(reserved.pods)} pods on it ${several}.`;
}

/** What came of it, in the server's words. */
function tell(title: string, message: string): void {
  notifications.show({ title, message: message.charAt(0).toUpperCase() + message.slice(1), color: 'green' });
}

export function askLock(server: Server): void {
  confirm({
    title: `Lock ${server.name}?`,
    children: `Nothing new is placed on it. ${pods(server, 'stays and runs on', 'stay and run on')}`,
    label: `Lock ${server.name}`,
    reason: 'optional',
    changes: ['server', 'drain'],
    run: (reason) =>
      unwrap(
        api.POST('/api/platform/servers/{id}/status', { params: path(server), body: { status: 'locked', reason } }),
      ),
    done: ({ detail }) => tell(`${server.name} is locked`, detail),
  });
}

export function askCancel(server: Server, { kind }: Drain): void {
  const isDrain = kind === 'drain';
  confirm({
    title: isDrain ? `Cancel the drain of ${server.name}?` : `Cancel the filling of ${server.name}?`,
    children: `No further move begins; those under way end. ${
      isDrain ? 'The server stays locked until it is opened.' : 'The server stays open.'
    }`,
    label: isDrain ? 'Cancel the drain' : 'Cancel the filling',
    changes: ['server', 'drain'],
    run: () => unwrap(api.DELETE('/api/platform/servers/{id}/drain', { params: path(server) })),
  });
}

export function askRevoke(server: Server): void {
  confirm({
    title: `Revoke the certificates of ${server.name}?`,
    children: (
      <>
        Every certificate and join token of it is void and its session ends: nobody can speak for it any more. What runs
        on it runs on, but nothing can be done with it until its agent is enrolled with a new token.
      </>
    ),
    label: 'Revoke',
    typed: server.name,
    isDanger: true,
    changes: ['server'],
    run: () => unwrap(api.POST('/api/platform/servers/{id}/revoke', { params: path(server) })),
    done: () => tell(`${server.name} is cut off`, 'make a new enrolment token when its agent may come back'),
  });
}

export function askLost(server: Server): void {
  confirm({
    title: `Declare ${server.name} lost?`,
    children: (
      <>
        <Text size="sm" mb={6}>
          Only where the host will not come back.{' '}
          {pods(
            server,
            'fails at once and keeps nothing but its addresses',
            'fail at once and keep nothing but their addresses',
          )}{' '}
          What was held on the host is free then, whether or not VMs still run there.
        </Text>
        <Text size="sm">
          They can be restored elsewhere from backups. Should the host return, its agent stops what it still runs of
          them before it does anything else. This cannot be taken back.
        </Text>
      </>
    ),
    label: `Declare ${server.name} lost`,
    typed: server.name,
    reason: 'required',
    isDanger: true,
    changes: ['server', 'cloudpod', 'job'],
    run: (reason) =>
      unwrap(
        api.POST('/api/platform/servers/{id}/declare-lost', {
          params: path(server),
          body: { reason, confirm: server.name },
        }),
      ),
    done: ({ detail }) => tell(`${server.name} is lost`, detail),
  });
}

export function askDelete(server: Server, done: () => void): void {
  confirm({
    title: `Delete ${server.name}?`,
    children:
      server.reserved.pods > 0
        ? `${pods(server, 'keeps it from being deleted', 'keep it from being deleted')} Drain it first.`
        : 'Its record and its certificates go; nothing on the host is changed. Its history of health goes with it.',
    label: `Delete ${server.name}`,
    typed: server.name,
    isDanger: true,
    changes: ['server'],
    run: () =>
      unwrap(api.DELETE('/api/platform/servers/{id}', { params: path(server), headers: ifMatch(server.version) })),
    done,
  });
}
