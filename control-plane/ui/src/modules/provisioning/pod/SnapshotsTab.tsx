import {
  ActionIcon,
  Button,
  Menu,
  Modal,
  Skeleton,
  Stack,
  Switch,
  Table,
  Text,
  TextInput,
  VisuallyHidden,
} from '@mantine/core';
import { useForm } from '@mantine/form';
import { useDisclosure } from '@mantine/hooks';
import { IconArrowBackUp, IconCamera, IconCheck, IconDots, IconLoader2, IconTrash } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { api, unwrap } from '@/api/client';
import { useCan } from '@/api/me';
import { confirm } from '@/lib/confirm/confirm';
import { useAction } from '@/lib/forms/useAction';
import { EmptyState } from '@/lib/page/EmptyState';
import { ProblemAlert } from '@/lib/page/ProblemAlert';
import { Section } from '@/lib/page/Section';
import { Pill } from '@/lib/pills/Pill';
import { SmallTable } from '@/lib/show/SmallTable';
import { Time } from '@/lib/show/Time';
import { FormEnd } from '../actions/FormEnd';
import { type CloudPod, isUsable, podParams, type Snapshot, snapshotsQuery } from '../pods';

export function SnapshotsTab({ pod }: { pod: CloudPod }) {
  const can = useCan();
  const [isOpen, form] = useDisclosure(false);
  const { data, error, isPending, refetch } = useQuery(snapshotsQuery(pod.id));
  const mayChange = can('cloudpods:write') && isUsable(pod);
  const take = mayChange && (
    <Button size="xs" leftSection={<IconCamera aria-hidden size={14} />} onClick={form.open}>
      Take a snapshot
    </Button>
  );
  return (
    <Section
      title="Snapshots"
      about="States of its disk to go back to. They are on its server, and no backup."
      actions={data && data.items.length > 0 && take}
    >
      {isPending && <Skeleton h={80} />}
      <ProblemAlert problem={error} retry={() => void refetch()} />
      {data?.items.length === 0 && (
        <EmptyState icon={IconCamera} title="No snapshots" action={take}>
          Take one before something that may go wrong, such as an upgrade.
        </EmptyState>
      )}
      {data && data.items.length > 0 && <Snapshots pod={pod} snapshots={data.items} mayChange={mayChange} />}
      <Modal opened={isOpen} onClose={form.close} title={`Take a snapshot of ${pod.name}`}>
        <SnapshotForm pod={pod} close={form.close} />
      </Modal>
    </Section>
  );
}

function Snapshots({ pod, snapshots, mayChange }: { pod: CloudPod; snapshots: Snapshot[]; mayChange: boolean }) {
  return (
    <SmallTable
      label="Snapshots"
      heads={['Name', 'State', 'After', 'Taken', <VisuallyHidden key="actions">Actions</VisuallyHidden>]}
    >
      {snapshots.map((snapshot) => (
        <Table.Tr key={snapshot.name}>
          <Table.Td>
            <Text size="sm" fw={600}>
              {snapshot.name}
            </Text>
            <Text size="xs" c="dimmed">
              {[snapshot.memory && 'with memory', snapshot.description].filter(Boolean).join(', ')}
            </Text>
          </Table.Td>
          <Table.Td>
            <StatePill state={snapshot.state} />
          </Table.Td>
          <Table.Td>{snapshot.parent ?? '–'}</Table.Td>
          <Table.Td>
            <Time at={snapshot.created_at} />
          </Table.Td>
          <Table.Td>
            {mayChange && snapshot.state === 'ready' && <SnapshotMenu pod={pod} snapshot={snapshot} />}
          </Table.Td>
        </Table.Tr>
      ))}
    </SmallTable>
  );
}

/** Of snapshots and backups. */
export function StatePill({ state }: { state: Snapshot['state'] }) {
  switch (state) {
    case 'ready':
      return (
        <Pill tone="good" icon={IconCheck}>
          Ready
        </Pill>
      );
    case 'creating':
      return (
        <Pill tone="busy" icon={IconLoader2}>
          Being made
        </Pill>
      );
    case 'deleting':
      return (
        <Pill tone="busy" icon={IconTrash}>
          Being deleted
        </Pill>
      );
  }
}

function SnapshotMenu({ pod, snapshot: { name, created_at } }: { pod: CloudPod; snapshot: Snapshot }) {
  const { path, query } = podParams(pod.id);
  const params = { path: { ...path, name }, query };
  const rollback = () =>
    confirm({
      title: `Roll back to ${name}`,
      children: (
        <>
          What came after the snapshot, taken <Time at={created_at} />, is lost. Its power is afterwards as it is
          wanted.
        </>
      ),
      label: 'Roll back',
      typed: pod.name,
      isDanger: true,
      changes: ['cloudpod', 'job'],
      run: () => unwrap(api.POST('/api/admin/hosting/cloudpods/{id}/snapshots/{name}/rollback', { params })),
    });
  const remove = () =>
    confirm({
      title: `Delete ${name}`,
      children: 'The pod stays as it is; it cannot go back to this state any more.',
      label: 'Delete the snapshot',
      isDanger: true,
      changes: ['cloudpod', 'job'],
      run: () => unwrap(api.DELETE('/api/admin/hosting/cloudpods/{id}/snapshots/{name}', { params })),
    });
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" aria-label={`Actions on ${name}`}>
          <IconDots aria-hidden size={16} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item leftSection={<IconArrowBackUp aria-hidden size={15} />} onClick={rollback}>
          Roll back to it
        </Menu.Item>
        <Menu.Item c="var(--mantine-color-error)" leftSection={<IconTrash aria-hidden size={15} />} onClick={remove}>
          Delete
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}

function SnapshotForm({ pod, close }: { pod: CloudPod; close: () => void }) {
  const form = useForm({ initialValues: { name: '', description: '', memory: false } });
  const action = useAction({
    form,
    run: (body: typeof form.values) =>
      unwrap(api.POST('/api/admin/hosting/cloudpods/{id}/snapshots', { params: podParams(pod.id), body })),
    changes: ['cloudpod', 'job'],
    done: close,
  });
  return (
    <form onSubmit={form.onSubmit((values) => action.mutate(values))}>
      <Stack gap="sm">
        <TextInput
          label="Name"
          description="2 to 40 letters, digits, _ or -, beginning with a letter"
          placeholder="before-upgrade"
          required
          maxLength={40}
          data-autofocus
          {...form.getInputProps('name')}
        />
        <TextInput label="Description" maxLength={256} {...form.getInputProps('description')} />
        <Switch
          label="With its memory"
          description="Going back to it, the guest goes on where it was"
          {...form.getInputProps('memory', { type: 'checkbox' })}
        />
        <FormEnd action={action} label="Take it" close={close} />
      </Stack>
    </form>
  );
}
