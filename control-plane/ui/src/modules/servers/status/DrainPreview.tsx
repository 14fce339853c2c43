import { Alert, ScrollArea, Skeleton, Stack, Text } from '@mantine/core';
import { IconBan } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import type { components } from '@/api/schema';
import { type Column, Items } from '@/lib/list/List';
import { ProblemAlert } from '@/lib/page/ProblemAlert';
import { Pill } from '@/lib/pills/Pill';
import { bytes, number } from '@/lib/show/units';
import { drainPreviewQuery, type Server } from '../servers';
import { Why } from './Why';
import { METHODS } from './words';

/** What a drain would do with each pod, as of now. */
export function DrainPreview({ server, allowShutdown }: { server: Server; allowShutdown: boolean }) {
  const query = useQuery(drainPreviewQuery(server.id, allowShutdown));
  if (query.isPending) return <Skeleton h={140} aria-busy="true" aria-label="Looking at what would be moved" />;
  if (!query.data) return <ProblemAlert problem={query.error} retry={() => void query.refetch()} />;
  const { movable, blocked, bytes: copied, pods } = query.data;
  if (pods.length === 0) {
    return <Text size="sm">No pod is on it: it is empty as soon as nothing new may be placed on it.</Text>;
  }
  return (
    <Stack gap="xs">
      <Text size="sm" role="status">
        <b>{number(movable)}</b> of {number(pods.length)} {pods.length === 1 ? 'pod' : 'pods'} can be moved,{' '}
        {copied > 0 ? `which copies ${bytes(copied)}` : 'without copying disks'}.
      </Text>
      {blocked > 0 && (
        <Alert color="yellow" p="xs">
          {blocked === 1 ? 'One pod' : `${number(blocked)} pods`} cannot be moved as things are; the drain keeps trying.
        </Alert>
      )}
      <ScrollArea.Autosize
        mah={260}
        type="auto"
        viewportProps={{ tabIndex: 0, role: 'region', 'aria-label': 'The plan' }}
      >
        <Items label="What a drain would do" items={pods} rowKey={({ cloudpod }) => cloudpod.id} columns={COLUMNS} />
      </ScrollArea.Autosize>
    </Stack>
  );
}

type Planned = components['schemas']['DrainPlan'];

const COLUMNS: Column<Planned>[] = [
  {
    key: 'pod',
    title: 'Pod',
    show: ({ cloudpod, blocker }) => (
      <div>
        <Text size="sm" fw={600}>
          {cloudpod.name}
        </Text>
        {blocker && <Why>{blocker}</Why>}
      </div>
    ),
  },
  {
    key: 'method',
    title: 'How',
    show: ({ method }) =>
      method ? (
        METHODS[method]
      ) : (
        <Pill tone="warn" icon={IconBan}>
          Stays
        </Pill>
      ),
  },
  { key: 'target', title: 'To', show: ({ target }) => target?.name ?? '–' },
  { key: 'copies', title: 'Copies', show: ({ bytes: size }) => (size == null ? '–' : bytes(size)) },
];
