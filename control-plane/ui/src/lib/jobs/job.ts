import { queryOptions } from '@tanstack/react-query';
import { api, unwrap } from '@/api/client';
import { key } from '@/api/keys';
import type { Job } from './watched';

/** Steps and percents of a running job are no events. */
const STEPS_MS = 2000;

export function isOver(job: Pick<Job, 'state'>): boolean {
  return ['succeeded', 'failed', 'cancelled'].includes(job.state);
}

/** One job with its steps; read again by itself while it runs and is shown. */
export function jobQuery(id: string) {
  return queryOptions({
    queryKey: key('job', 'one', id),
    queryFn: ({ signal }) => unwrap(api.GET('/api/provisioning/jobs/{id}', { params: { path: { id } }, signal })),
    // One that cannot be read, such as of a tenant that is not looked at any more, is not asked for again and again.
    refetchInterval: ({ state: { data, status } }) =>
      data && status !== 'error' && !isOver(data) && data.state !== 'stuck' ? STEPS_MS : false,
  });
}

/** `snapshot_delete` as people read it. */
export function words(name: string): string {
  const text = name.replaceAll('_', ' ');
  return text.charAt(0).toUpperCase() + text.slice(1);
}
