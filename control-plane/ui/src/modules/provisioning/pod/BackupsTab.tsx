import { Button, Group, Modal, Skeleton, Text } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconArchive, IconCalendar, IconShieldLock } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useCan } from '@/api/me';
import { type Column, Items } from '@/lib/list/List';
import { EmptyState } from '@/lib/page/EmptyState';
import { ProblemAlert } from '@/lib/page/ProblemAlert';
import { Section } from '@/lib/page/Section';
import { Pill } from '@/lib/pills/Pill';
import { Time } from '@/lib/show/Time';
import { bytes } from '@/lib/show/units';
import { type Backup, backupsQuery, type CloudPod, isUsable } from '../pods';
import { BackupForm } from './BackupForm';
import { BackupMenu } from './BackupMenu';
import { PolicySection } from './PolicySection';
import { StatePill } from './SnapshotsTab';

export function BackupsTab({ pod }: { pod: CloudPod }) {
  const can = useCan();
  const [isOpen, form] = useDisclosure(false);
  const [token, setToken] = useState<string>();
  const { data, error, isPending, refetch } = useQuery(backupsQuery(pod.id, token));
  const make = can('cloudpods:write') && isUsable(pod) && (
    <Button size="xs" leftSection={<IconArchive aria-hidden size={14} />} onClick={form.open}>
      Back up now
    </Button>
  );
  return (
    <>
      {pod.state !== 'deleted' && <PolicySection pod={pod} />}
      <Section title="Backups" about="Whole copies on a backup storage" actions={data && data.items.length > 0 && make}>
        {isPending && <Skeleton h={80} />}
        <ProblemAlert problem={error} retry={() => void refetch()} />
        {data?.items.length === 0 && (
          <EmptyState icon={IconArchive} title="No backups" action={make}>
            Make one now, or let them be made by themselves.
          </EmptyState>
        )}
        {data && data.items.length > 0 && <Backups pod={pod} backups={data.items} />}
        {(token || data?.next_page_token) && (
          <Group justify="flex-end" gap={6}>
            {token && (
              <Button size="xs" variant="default" onClick={() => setToken(undefined)}>
                First
              </Button>
            )}
            <Button
              size="xs"
              variant="default"
              disabled={!data?.next_page_token}
              onClick={() => setToken(data?.next_page_token ?? undefined)}
            >
              Next
            </Button>
          </Group>
        )}
        <Modal opened={isOpen} onClose={form.close} title={`Back up ${pod.name}`}>
          <BackupForm pod={pod} close={form.close} />
        </Modal>
      </Section>
    </>
  );
}

function Backups({ pod, backups }: { pod: CloudPod; backups: Backup[] }) {
  const can = useCan();
  const actions: Column<Backup> = {
    key: 'actions',
    title: 'Actions',
    width: 80,
    show: (backup) => backup.state === 'ready' && <BackupMenu pod={pod} backup={backup} />,
  };
  const columns = [...COLUMNS, ...(can('servers:read') ? [WHERE] : []), ...(can('cloudpods:write') ? [actions] : [])];
  return <Items label="Backups" items={backups} rowKey={({ id }) => id} columns={columns} />;
}

const WHERE: Column<Backup> = {
  key: 'where',
  title: 'Where',
  show: ({ server, storage }) => `${server.name}, ${storage}`,
};

const COLUMNS: Column<Backup>[] = [
  {
    key: 'made',
    title: 'Made',
    show: ({ made_at, created_at, mode, note }) => (
      <div>
        <Text size="sm" fw={600} component="div">
          <Time at={made_at ?? created_at} />
        </Text>
        <Text size="xs" c="dimmed">
          {[mode, note].filter(Boolean).join(', ')}
        </Text>
      </div>
    ),
  },
  {
    key: 'state',
    title: 'State',
    show: (backup) => (
      <Group gap={4}>
        <StatePill state={backup.state} />
        {backup.protected && (
          <Pill tone="plain" icon={IconShieldLock} about="Not pruned, and not deleted before this is taken away">
            Protected
          </Pill>
        )}
        {backup.scheduled && (
          <Pill tone="plain" icon={IconCalendar} about="Made by its policy">
            By itself
          </Pill>
        )}
      </Group>
    ),
  },
  { key: 'size', title: 'Size', show: ({ size_bytes }) => (size_bytes == null ? '–' : bytes(size_bytes)) },
  {
    key: 'kept',
    title: 'Kept',
    show: (backup) =>
      backup.protected ? 'for ever' : backup.kept_until ? <Time at={backup.kept_until} /> : 'as its policy says',
  },
];
