import { queryOptions } from '@tanstack/react-query';
import { api, unwrap } from '@/api/client';
import { key } from '@/api/keys';
import type { components, paths } from '@/api/schema';

export type Server = components['schemas']['Server'];
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
    refetchInterval: LOAD_MS,
  });
}

/** What may be reserved, and is, on the storages that are offered. */
export function disk(server: Server): { reserved: number; capacity: number } {
  const offered = server.storages.filter((storage) => storage.offered);
  const sum = (of: (storage: Server['storages'][number]) => number) => offered.reduce((all, one) => all + of(one), 0);
  return { reserved: sum((one) => one.reserved_gib), capacity: sum((one) => one.capacity_gib) };
}
