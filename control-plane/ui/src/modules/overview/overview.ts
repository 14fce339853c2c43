import { queryOptions } from '@tanstack/react-query';
import { api, unwrap } from '@/api/client';
import { key } from '@/api/keys';

/** A page of a list: what is counted of it is said to be of so many. */
export const COUNTED = 200;
const FIGURES_MS = 30_000;
const INVARIANTS_MS = 60_000;

/** All of a small fleet; of a larger one its first servers by name. */
export function fleetQuery() {
  return queryOptions({
    queryKey: key('overview', 'fleet'),
    queryFn: ({ signal }) =>
      unwrap(api.GET('/api/platform/servers', { params: { query: { limit: COUNTED, sort: 'name' } }, signal })),
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

/** The newest pods. */
export function podsQuery() {
  return queryOptions({
    queryKey: key('overview', 'pods'),
    queryFn: ({ signal }) =>
      unwrap(api.GET('/api/provisioning/cloudpods', { params: { query: { limit: COUNTED } }, signal })),
    refetchInterval: FIGURES_MS,
  });
}

/** The newest jobs. */
export function jobsQuery() {
  return queryOptions({
    queryKey: key('overview', 'jobs'),
    queryFn: ({ signal }) =>
      unwrap(api.GET('/api/provisioning/jobs', { params: { query: { limit: COUNTED } }, signal })),
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
    queryKey: key('invariant', 'all'),
    queryFn: ({ signal }) => unwrap(api.GET('/api/platform/invariants', { signal })),
    refetchInterval: INVARIANTS_MS,
  });
}

export function quotasQuery(id: string) {
  return queryOptions({
    queryKey: key('tenant', 'quotas', id),
    queryFn: ({ signal }) => unwrap(api.GET('/api/admin/tenants/{id}/quotas', { params: { path: { id } }, signal })),
    refetchInterval: FIGURES_MS,
  });
}
