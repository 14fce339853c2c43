import { queryOptions } from '@tanstack/react-query';
import { api, unwrap } from '@/api/client';
import { key } from '@/api/keys';
import type { components, paths } from '@/api/schema';

export type Job = components['schemas']['Job'];
export type JobsDone = components['schemas']['JobsDone'];
export type JobStep = NonNullable<Job['steps']>[number];
export type JobsQuery = NonNullable<paths['/api/provisioning/jobs']['get']['parameters']['query']>;

export const JOB_KINDS = [
  'provision',
  'start',
  'stop',
  'shutdown',
  'reboot',
  'suspend',
  'unsuspend',
  'resize',
  'migrate',
  'rebuild',
  'reset_password',
  'ssh_keys',
  'media',
  'rescue',
  'unrescue',
  'firewall',
  'destroy',
  'snapshot',
  'rollback',
  'delete_snapshot',
  'backup',
  'delete_backup',
  'restore',
  'recreate',
  'capture',
  'delete_image',
  'autostart',
  'network',
  'adopt',
  'rehome',
  'destroy_orphan',
  'release_orphan',
] as const;

export function jobsQuery(query: JobsQuery) {
  return queryOptions({
    queryKey: key('job', 'list', query),
    queryFn: ({ signal }) => unwrap(api.GET('/api/provisioning/jobs', { params: { query }, signal })),
    placeholderData: (before) => before,
  });
}

const LOG_LINES = 200;
/** What a job says is no event. */
const LOG_MS = 2000;

/** A page of a job's log. One that is full does not change any more, and is not read again. */
export function logQuery(id: string, page_token: string | undefined, isOver: boolean) {
  return queryOptions({
    queryKey: key('job', 'log', id, page_token),
    queryFn: ({ signal }) => {
      const params = { path: { id }, query: { limit: LOG_LINES, page_token } };
      return unwrap(api.GET('/api/provisioning/jobs/{id}/log', { params, signal }));
    },
    enabled: ({ state: { data } }) => !data?.next_page_token,
    refetchInterval: isOver ? false : LOG_MS,
  });
}

/** Whether cancelling does something: nothing can be taken back once it has ended, or is being undone. */
export function isCancellable(job: Job): boolean {
  return !job.cancel_requested && (job.state === 'queued' || job.state === 'running');
}
