import { queryOptions } from '@tanstack/react-query';
import { api, unwrap } from '@/api/client';
import { key } from '@/api/keys';
import type { components } from '@/api/schema';

const FIGURES_MS = 30_000;
const INVARIANTS_MS = 60_000;

export type Fleet = components['schemas']['PlatformOverview'];

/** How many servers there are, what is reserved of them in all, and which are the fullest. */
export function fleetQuery() {
  return queryOptions({
    queryKey: key('overview', 'fleet'),
    queryFn: ({ signal }) => unwrap(api.GET('/api/platform/overview', { signal })),
    refetchInterval: FIGURES_MS,
  });
}

export function offlineQuery() {
  return queryOptions({
    queryKey: key('server', 'offline'),
    queryFn: ({ signal }) =>
      unwrap(api.GET('/api/platform/servers', { params: { query: { connection: 'offline', limit: 5 } }, signal })),
  });
}

/** How many pods there are, and how they are. */
export function podCountsQuery() {
  return queryOptions({
    queryKey: key('overview', 'pods'),
    queryFn: ({ signal }) => unwrap(api.GET('/api/provisioning/cloudpods/counts', { signal })),
    refetchInterval: FIGURES_MS,
  });
}

/** How many jobs ended, and how, in each of the newest `steps` steps of so many seconds. */
export function jobHistoryQuery({ step, steps }: { step: number; steps: number }) {
  return queryOptions({
    queryKey: key('overview', 'jobs', step, steps),
    queryFn: ({ signal }) => {
      // The step that is not over is one of them.
      const since = new Date(Date.now() - (steps - 1) * step * 1000).toISOString();
      return unwrap(api.GET('/api/provisioning/jobs/history', { params: { query: { since, step } }, signal }));
    },
    refetchInterval: FIGURES_MS,
  });
}

/** How many jobs of the platform are where. */
export function queueQuery() {
  return queryOptions({
    queryKey: key('job', 'queue'),
    queryFn: ({ signal }) => unwrap(api.GET('/api/admin/provisioning/queue', { signal })),
  });
}

/** What must hold; that one no longer does is no event for most. */
export function invariantsQuery() {
  return queryOptions({
    queryKey: key('invariant', 'report'),
    queryFn: ({ signal }) => unwrap(api.GET('/api/platform/invariants', { signal })),
    refetchInterval: INVARIANTS_MS,
    // It looks at the whole fleet: the next one comes soon enough.
    retry: false,
  });
}

export function quotasQuery(id: string) {
  return queryOptions({
    queryKey: key('tenant', 'quotas', id),
    queryFn: ({ signal }) => unwrap(api.GET('/api/admin/tenants/{id}/quotas', { params: { path: { id } }, signal })),
    refetchInterval: FIGURES_MS,
  });
}
