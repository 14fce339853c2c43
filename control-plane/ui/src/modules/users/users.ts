import { queryOptions } from '@tanstack/react-query';
import { api, unwrap } from '@/api/client';
import { key } from '@/api/keys';
import type { components, paths } from '@/api/schema';
import { inTenant } from '@/api/scope';

export type User = components['schemas']['User'];
export type Role = components['schemas']['Role'];

type UsersQuery = NonNullable<paths['/api/admin/users']['get']['parameters']['query']>;
type TokensQuery = NonNullable<paths['/api/admin/tokens']['get']['parameters']['query']>;
type PageQuery = NonNullable<paths['/api/admin/users/invitations']['get']['parameters']['query']>;

export function usersQuery(search: UsersQuery) {
  const query = { ...search, ...inTenant() };
  return queryOptions({
    queryKey: key('user', 'list', query),
    queryFn: ({ signal }) => unwrap(api.GET('/api/admin/users', { params: { query }, signal })),
  });
}

/** Somebody as a member of a tenant: of the one that is shown, unless another is named. */
export function userQuery(id: string, tenant_id: string | undefined) {
  const query = tenant_id ? { tenant_id } : inTenant();
  return queryOptions({
    queryKey: key('user', 'one', id, query),
    queryFn: ({ signal }) => unwrap(api.GET('/api/admin/users/{id}', { params: { path: { id }, query }, signal })),
  });
}

export function invitationsQuery(search: PageQuery) {
  const query = { ...search, ...inTenant() };
  return queryOptions({
    queryKey: key('invitation', 'list', query),
    queryFn: ({ signal }) => unwrap(api.GET('/api/admin/users/invitations', { params: { query }, signal })),
  });
}

export function tokensQuery(search: TokensQuery) {
  const query = { ...search, ...inTenant() };
  return queryOptions({
    queryKey: key('token', 'list', query),
    queryFn: ({ signal }) => unwrap(api.GET('/api/admin/tokens', { params: { query }, signal })),
  });
}
