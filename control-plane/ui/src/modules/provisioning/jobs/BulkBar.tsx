import { Button, Group, Paper, Text } from '@mantine/core';
import { IconPlayerStop, IconRefresh } from '@tabler/icons-react';
import { api, unwrap } from '@/api/client';
import { confirm } from '@/lib/confirm/confirm';
import type { Asked } from './BulkResult';
import type { JobsDone } from './jobs';

interface Props {
  chosen: ReadonlySet<string>;
  clear: () => void;
  done: (result: Asked) => void;
}

/** What can be done with the jobs that are chosen. */
export function BulkBar({ chosen, clear, done }: Props) {
  const ids = [...chosen];
  const count = `${ids.length} ${ids.length === 1 ? 'job' : 'jobs'}`;
  const finish = (asked: string) => (result: JobsDone) => {
    clear();
    done({ ...result, asked });
  };
  const retry = () =>
    confirm({
      title: `Try ${count} again`,
      children: 'Undos that are stuck are resumed, and waits for a next try end now. Others are left as they are.',
      label: 'Try again',
      changes: ['job'],
      run: () => unwrap(api.POST('/api/provisioning/jobs/retry', { body: { ids } })),
      done: finish('Asked to try again'),
    });
  const cancel = () =>
    confirm({
      title: `Cancel ${count}`,
      children: 'What is queued ends at once; of what runs, the step ends or is aborted and what was done is undone.',
      label: `Cancel ${count}`,
      isDanger: true,
      changes: ['job'],
      run: () => unwrap(api.POST('/api/provisioning/jobs/cancel', { body: { ids } })),
      done: finish('Asked to be cancelled'),
    });
  return (
    <Paper withBorder px="sm" py={6} role="region" aria-label="Chosen jobs">
      <Group gap="xs">
        <Text size="sm" fw={600}>
          {count} chosen
        </Text>
        <Button size="xs" variant="default" leftSection={<IconRefresh aria-hidden size={14} />} onClick={retry}>
          Try again
        </Button>
        <Button size="xs" variant="default" leftSection={<IconPlayerStop aria-hidden size={14} />} onClick={cancel}>
          Cancel
        </Button>
        <Button size="xs" variant="subtle" onClick={clear}>
          Choose none
        </Button>
      </Group>
    </Paper>
  );
}
