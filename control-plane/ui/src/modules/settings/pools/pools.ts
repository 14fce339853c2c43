import { queryOptions } from '@tanstack/react-query';
import { api, unwrap } from '@/api/client';
import { key } from '@/api/keys';
import type { components, paths } from '@/api/schema';

export type IpPool = components['schemas']['IpPool'];

type PoolsQuery = NonNullable<paths['/api/platform/ip-pools']['get']['parameters']['query']>;
type PageQuery = NonNullable<paths['/api/platform/ip-pools/{id}/addresses']['get']['parameters']['query']>;

export function poolsQuery(query: PoolsQuery) {
  return queryOptions({
    queryKey: key('ip_pool', 'list', query),
    queryFn: ({ signal }) => unwrap(api.GET('/api/platform/ip-pools', { params: { query }, signal })),
  });
}

export function poolQuery(id: string) {
  return queryOptions({
    queryKey: key('ip_pool', 'one', id),
    queryFn: ({ signal }) => unwrap(api.GET('/api/platform/ip-pools/{id}', { params: { path: { id } }, signal })),
  });
}

/** That an address was given out or came back is no event of the pool's. */
const ADDRESSES_MS = 30_000;

export function addressesQuery(id: string, query: PageQuery) {
  return queryOptions({
    queryKey: key('ip_pool', 'addresses', id, query),
    queryFn: ({ signal }) =>
      unwrap(api.GET('/api/platform/ip-pools/{id}/addresses', { params: { path: { id }, query }, signal })),
    refetchInterval: ADDRESSES_MS,
  });
}

/** Of a v6 range there are more than one can read. */
export function many(count: number): string {
  return count > 1_000_000_000 ? 'practically unlimited' : new Intl.NumberFormat('en').format(count);
}
