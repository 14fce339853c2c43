import { ActionIcon, Menu, Modal } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconCopyPlus, IconDots, IconRestore, IconShieldLock, IconShieldOff, IconTrash } from '@tabler/icons-react';
import { api, unwrap } from '@/api/client';
import { inTenant } from '@/api/scope';
import { confirm } from '@/lib/confirm/confirm';
import { useAction } from '@/lib/forms/useAction';
import { exact } from '@/lib/show/Time';
import type { Backup, CloudPod } from '../pods';
import { RecreateForm } from './RecreateForm';

/** What can be done with a backup. */
export function BackupMenu({ pod, backup }: { pod: CloudPod; backup: Backup }) {
  const [isOpen, form] = useDisclosure(false);
  const params = { path: { id: pod.id, backup: backup.id }, query: inTenant() };
  const made = exact(backup.made_at ?? backup.created_at);
  const protect = useAction({
    run: () =>
      unwrap(
        api.PATCH('/api/admin/hosting/cloudpods/{id}/backups/{backup}', {
          params,
          body: { protected: !backup.protected },
        }),
      ),
    changes: ['cloudpod'],
    tell: true,
  });
  const restore = () =>
    confirm({
      title: `Restore ${pod.name}`,
      children: `It becomes what it was at ${made}. What it was since is lost, its snapshots too.`,
      label: 'Restore',
      typed: pod.name,
      isDanger: true,
      changes: ['cloudpod', 'job'],
      run: () => unwrap(api.POST('/api/admin/hosting/cloudpods/{id}/backups/{backup}/restore', { params, body: {} })),
    });
  const remove = () =>
    confirm({
      title: 'Delete the backup',
      children: `The backup of ${made} is deleted for good. ${pod.name} stays as it is.`,
      label: 'Delete the backup',
      typed: pod.name,
      isDanger: true,
      changes: ['cloudpod', 'job'],
      run: () => unwrap(api.DELETE('/api/admin/hosting/cloudpods/{id}/backups/{backup}', { params })),
    });
  const isThere = pod.state !== 'deleted' && pod.state !== 'deleting';
  return (
    <>
      <Menu position="bottom-end">
        <Menu.Target>
          <ActionIcon variant="subtle" color="gray" aria-label={`Actions on the backup of ${made}`}>
            <IconDots aria-hidden size={16} />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          {isThere && (
            <Menu.Item leftSection={<IconRestore aria-hidden size={15} />} onClick={restore}>
              Restore
            </Menu.Item>
          )}
          <Menu.Item leftSection={<IconCopyPlus aria-hidden size={15} />} onClick={form.open}>
            Make a new CloudPod of it
          </Menu.Item>
          <Menu.Item
            leftSection={
              backup.protected ? <IconShieldOff aria-hidden size={15} /> : <IconShieldLock aria-hidden size={15} />
            }
            onClick={() => protect.mutate()}
          >
            {backup.protected ? 'Protect it no more' : 'Protect'}
          </Menu.Item>
          {!backup.protected && (
            <Menu.Item
              c="var(--mantine-color-error)"
              leftSection={<IconTrash aria-hidden size={15} />}
              onClick={remove}
            >
              Delete
            </Menu.Item>
          )}
        </Menu.Dropdown>
      </Menu>
      <Modal opened={isOpen} onClose={form.close} title="A new CloudPod of the backup">
        <RecreateForm backup={backup} close={form.close} />
      </Modal>
    </>
  );
}
