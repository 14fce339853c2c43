import { queryOptions } from '@tanstack/react-query';
import { api, unwrap } from '@/api/client';
import { key } from '@/api/keys';
import type { components, paths } from '@/api/schema';
import { inTenant } from '@/api/scope';

export type AuditRecord = components['schemas']['AuditRecordNamed'];

type AuditQuery = NonNullable<paths['/api/admin/audit']['get']['parameters']['query']>;

/** That something was noted is no event of its own; what comes anew is on the first page. */
const FIRST_PAGE_MS = 20_000;

export function auditQuery(search: AuditQuery) {
  const query = { ...search, ...inTenant() };
  return queryOptions({
    queryKey: key('audit', 'list', query),
    queryFn: ({ signal }) => unwrap(api.GET('/api/admin/audit', { params: { query }, signal })),
    refetchInterval: search.page_token ? false : FIRST_PAGE_MS,
  });
}

export function recordQuery(id: string) {
  return queryOptions({
    queryKey: key('audit', 'one', id),
    queryFn: ({ signal }) => unwrap(api.GET('/api/admin/audit/records/{id}', { params: { path: { id } }, signal })),
    // It never changes; only its seal comes a moment later.
    staleTime: ({ state: { data } }) => (data?.seq == null ? 0 : Number.POSITIVE_INFINITY),
  });
}
