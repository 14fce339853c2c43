import { queryOptions } from '@tanstack/react-query';
import { api, unwrap } from '@/api/client';
import { key } from '@/api/keys';
import type { components, paths } from '@/api/schema';

export type Plan = components['schemas']['Plan'];

type PlansQuery = NonNullable<paths['/api/platform/plans']['get']['parameters']['query']>;

export function plansQuery(query: PlansQuery) {
  return queryOptions({
    queryKey: key('plan', 'list', query),
    queryFn: ({ signal }) => unwrap(api.GET('/api/platform/plans', { params: { query }, signal })),
  });
}

export function planQuery(id: string) {
  return queryOptions({
    queryKey: key('plan', 'one', id),
    queryFn: ({ signal }) => unwrap(api.GET('/api/platform/plans/{id}', { params: { path: { id } }, signal })),
  });
}
