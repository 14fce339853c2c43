import { Button } from '@mantine/core';
import { IconPlayerStop, IconRefresh } from '@tabler/icons-react';
import { api, unwrap } from '@/api/client';
import { useCan } from '@/api/me';
import { confirm } from '@/lib/confirm/confirm';
import { useAction } from '@/lib/forms/useAction';
import { words } from '@/lib/jobs/job';
import { isCancellable, type Job } from './jobs';

/** What can be done about one job. */
export function JobActions({ job }: { job: Job }) {
  const can = useCan();
  const params = { path: { id: job.id } };
  const retry = useAction({
    run: async () => {
      await unwrap(api.POST('/api/provisioning/jobs/{id}/retry', { params }));
    },
    changes: ['job'],
    tell: true,
  });
  const cancel = () =>
    confirm({
      title: `Cancel: ${words(job.kind)}`,
      children: 'The step that is under way ends or is aborted, and what was done until then is undone.',
      label: 'Cancel the job',
      isDanger: true,
      changes: ['job'],
      run: async () => {
        await unwrap(api.POST('/api/provisioning/jobs/{id}/cancel', { params }));
      },
    });
  if (!can('provisioning:write')) return null;
  return (
    <>
      {job.retryable && (
        <Button
          size="xs"
          variant="default"
          leftSection={<IconRefresh aria-hidden size={14} />}
          loading={retry.isPending}
          onClick={() => retry.mutate()}
        >
          Try again now
        </Button>
      )}
      {isCancellable(job) && (
        <Button size="xs" variant="default" leftSection={<IconPlayerStop aria-hidden size={14} />} onClick={cancel}>
          Cancel
        </Button>
      )}
    </>
  );
}
