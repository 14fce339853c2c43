import { queryOptions } from '@tanstack/react-query';
import { api, unwrap } from '@/api/client';
import { key } from '@/api/keys';
import { Problem } from '@/api/problem';
import type { components, paths } from '@/api/schema';

export type Server = components['schemas']['Server'];
export type Drain = components['schemas']['Drain'];
export type ServersQuery = NonNullable<paths['/api/platform/servers']['get']['parameters']['query']>;

/** How a server does is no event: its load is read again so often while it is shown. */
const LOAD_MS = 30_000;

export function serversQuery(query: ServersQuery) {
  return queryOptions({
    queryKey: key('server', 'list', query),
    queryFn: ({ signal }) => unwrap(api.GET('/api/platform/servers', { params: { query }, signal })),
    refetchInterval: LOAD_MS,
    placeholderData: (before) => before,
  });
}

/** By id or name. */
export function serverQuery(id: string) {
  return queryOptions({
    queryKey: key('server', 'one', id),
    queryFn: ({ signal }) => unwrap(api.GET('/api/platform/servers/{id}', { params: { path: { id } }, signal })),
    // One that was never there is not asked for again and again; after an outage it goes on.
    refetchInterval: ({ state: { data, error } }) => (error && !data ? false : LOAD_MS),
  });
}

/** How far moves are is no event. */
const MOVES_MS = 3000;

/** A server's newest drain, or the filling after it; null: it never had one. */
export function drainQuery(id: string) {
  return queryOptions({
    queryKey: key('drain', 'of', id),
    queryFn: ({ signal }) =>
      orNull(unwrap(api.GET('/api/platform/servers/{id}/drain', { params: { path: { id } }, signal }))),
    refetchInterval: ({ state: { data } }) =>
      data?.state === 'running' || data?.state === 'blocked' ? MOVES_MS : false,
  });
}

/** What a drain would do with each pod, as of now. */
export function drainPreviewQuery(id: string, allow_shutdown: boolean) {
  return queryOptions({
    queryKey: key('drain', 'preview', id, allow_shutdown),
    queryFn: ({ signal }) =>
      unwrap(
        api.POST('/api/platform/servers/{id}/drain/preview', {
          params: { path: { id } },
          body: { allow_shutdown },
          signal,
        }),
      ),
    staleTime: 0,
    placeholderData: (before) => before,
  });
}

/** Where hosts of other clusters send VMs to; null: nowhere. */
export function endpointQuery(id: string) {
  return queryOptions({
    queryKey: key('server', 'endpoint', id),
    queryFn: ({ signal }) =>
      orNull(unwrap(api.GET('/api/platform/servers/{id}/migration-endpoint', { params: { path: { id } }, signal }))),
  });
}

async function orNull<T>(asked: Promise<T>): Promise<T | null> {
  try {
    return await asked;
  } catch (cause) {
    if (cause instanceof Problem && cause.status === 404) return null;
    throw cause;
  }
}

/** What may be reserved, and is, on the storages that are offered. */
export function disk(server: Server): { reserved: number; capacity: number } {
  const offered = server.storages.filter((storage) => storage.offered);
  const sum = (of: (storage: Server['storages'][number]) => number) => offered.reduce((all, one) => all + of(one), 0);
  return { reserved: sum((one) => one.reserved_gib), capacity: sum((one) => one.capacity_gib) };
}
