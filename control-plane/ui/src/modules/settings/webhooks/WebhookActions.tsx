import { ActionIcon, Button, Menu } from '@mantine/core';
import { modals } from '@mantine/modals';
import { IconDotsVertical, IconKey, IconPencil, IconSend, IconTrash } from '@tabler/icons-react';
import { useNavigate } from '@tanstack/react-router';
import { api, unwrap } from '@/api/client';
import { inTenant } from '@/api/scope';
import { confirm } from '@/lib/confirm/confirm';
import { useAction } from '@/lib/forms/useAction';
import { useOpen } from '@/lib/open/useOpen';
import { ShownOnce } from './WebhookAdd';
import type { Webhook } from './webhooks';

export function WebhookActions({ webhook: { id, name } }: { webhook: Webhook }) {
  const edit = useOpen('edit');
  const delivery = useOpen('delivery');
  const navigate = useNavigate();
  const params = { path: { id }, query: inTenant() };
  const test = useAction({
    run: () => unwrap(api.POST('/api/admin/webhooks/{id}/test', { params })),
    changes: ['webhook'],
    tell: true,
    done: (made) => delivery.open(made.id),
  });
  const rotate = () =>
    confirm({
      title: `A new secret for ${name}`,
      children: 'For a day messages are signed with the old one too, so that the receiver can change over.',
      label: 'Make a new secret',
      run: () => unwrap(api.POST('/api/admin/webhooks/{id}/rotate-secret', { params })),
      done: ({ secret }) => showOnce(secret),
    });
  const remove = () =>
    confirm({
      title: `Delete the webhook ${name}`,
      children: 'Nothing is sent any more, and what is known of its deliveries is lost.',
      label: 'Delete the webhook',
      typed: name,
      isDanger: true,
      changes: ['webhook'],
      run: () => unwrap(api.DELETE('/api/admin/webhooks/{id}', { params })),
      done: () => void navigate({ to: '/settings/webhooks' }),
    });
  return (
    <>
      <Button
        variant="default"
        leftSection={<IconSend aria-hidden size={16} />}
        loading={test.isPending}
        onClick={() => test.mutate()}
      >
        Send a test
      </Button>
      <Button variant="default" leftSection={<IconPencil aria-hidden size={16} />} onClick={() => edit.open(true)}>
        Change
      </Button>
      <Menu position="bottom-end">
        <Menu.Target>
          <ActionIcon variant="default" size={36} aria-label="More actions">
            <IconDotsVertical aria-hidden size={16} />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item leftSection={<IconKey aria-hidden size={16} />} onClick={rotate}>
            New secret
          </Menu.Item>
          <Menu.Item c="red" leftSection={<IconTrash aria-hidden size={16} />} onClick={remove}>
            Delete
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
    </>
  );
}

function showOnce(secret: string): void {
  const id = modals.open({
    title: 'The new secret',
    closeOnClickOutside: false,
    children: <ShownOnce secret={secret} close={() => modals.close(id)} />,
  });
}
