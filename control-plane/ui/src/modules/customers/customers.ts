import { queryOptions } from '@tanstack/react-query';
import { api, unwrap } from '@/api/client';
import { key } from '@/api/keys';
import type { components, paths } from '@/api/schema';

type Schemas = components['schemas'];
export type Customer = Schemas['CustomerSummary'];
export type Overview = Schemas['CustomerOverview'];
export type Profile = Schemas['CustomerProfile'];

type CustomersQuery = NonNullable<paths['/api/platform/customers']['get']['parameters']['query']>;

export function customersQuery(query: CustomersQuery) {
  return queryOptions({
    queryKey: key('customer', 'list', query),
    queryFn: ({ signal }) => unwrap(api.GET('/api/platform/customers', { params: { query }, signal })),
  });
}

export function customerQuery(tenant_id: string) {
  return queryOptions({
    queryKey: key('customer', 'overview', tenant_id),
    queryFn: ({ signal }) =>
      unwrap(api.GET('/api/platform/customers/{tenant_id}', { params: { path: { tenant_id } }, signal })),
  });
}

/** With the version that a change of the profile has to name. */
export function profileQuery(tenant_id: string) {
  return queryOptions({
    queryKey: key('customer', 'profile', tenant_id),
    queryFn: ({ signal }) =>
      unwrap(api.GET('/api/admin/customers/{tenant_id}', { params: { path: { tenant_id } }, signal })),
  });
}
