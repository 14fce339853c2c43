// What is asked before an account is changed, in every tenant at once.
import { Button, Stack, Text } from '@mantine/core';
import { modals } from '@mantine/modals';
import { api, ifMatch, unwrap } from '@/api/client';
import { confirm } from '@/lib/confirm/confirm';
import { SecretLink } from '@/lib/show/SecretLink';
import { exact } from '@/lib/show/Time';
import type { Account, Recovery } from './accounts';

const path = ({ id }: Account) => ({ path: { id } });

export function suspendAccount(account: Account): void {
  confirm({
    title: `Suspend ${account.name} everywhere`,
    children:
      'They are shut out of every tenant at once: their sign-ins, their API tokens and the invitations that they gave end. Their ' +
      'account stays.',
    label: 'Suspend',
    isDanger: true,
    changes: ['user', 'token', 'invitation'],
    run: () => unwrap(api.POST('/api/platform/users/{id}/suspend', { params: path(account) })),
  });
}

export function reactivateAccount(account: Account): void {
  confirm({
    title: `Let ${account.name} in again`,
    children: 'They may come in where they belong. What ended with the suspension stays ended.',
    label: 'Reactivate',
    changes: ['user'],
    run: () => unwrap(api.POST('/api/platform/users/{id}/reactivate', { params: path(account) })),
  });
}

export function setStaff(account: Account): void {
  const { name, staff, version } = account;
  confirm({
    title: staff ? `${name} is no longer of the staff` : `Make ${name} one of the staff`,
    children: staff
      ? 'Their sign-ins and API tokens end at once. What they may do in tenants that they belong to stays.'
      : 'They may do everything, for all tenants, at once.',
    label: staff ? 'Take the staff’s rights' : 'Make staff',
    isDanger: true,
    changes: ['user', 'token'],
    run: () =>
      unwrap(
        api.PATCH('/api/platform/users/{id}', {
          params: path(account),
          body: { staff: !staff },
          headers: ifMatch(version),
        }),
      ),
  });
}

/** For who has lost their password, their second factor or both. */
export function recover(account: Account): void {
  confirm({
    title: `Let ${account.name} in anew`,
    children:
      'For who has lost their password or their second factor. Both are taken away, their sign-ins and API tokens end, and they get ' +
      'a link to set a new password. Be sure that it is they who ask.',
    label: 'Let in anew',
    typed: account.email,
    isDanger: true,
    changes: ['user', 'token'],
    run: () => unwrap(api.POST('/api/platform/users/{id}/recover', { params: path(account) })),
    done: (recovery) => showLink(recovery),
  });
}

function showLink({ account, secret, expires_at }: Recovery): void {
  const id = modals.open({
    title: `The link for ${account.name}`,
    closeOnClickOutside: false,
    children: (
      <Stack gap="sm">
        <SecretLink label="Link to set a password" page="/reset-password" secret={secret} email={account.email} />
        <Text size="sm">It is good until {exact(expires_at)}.</Text>
        <Button onClick={() => modals.close(id)}>Done</Button>
      </Stack>
    ),
  });
}
