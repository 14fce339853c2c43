import { queryOptions } from '@tanstack/react-query';
import { api, unwrap, versionOf } from '@/api/client';
import { key } from '@/api/keys';
import type { components, paths } from '@/api/schema';

export type Tenant = components['schemas']['Tenant'];
export type Quotas = components['schemas']['TenantQuotas'];

type TenantsQuery = NonNullable<paths['/api/admin/tenants']['get']['parameters']['query']>;

export function tenantsQuery(query: TenantsQuery) {
  return queryOptions({
    queryKey: key('tenant', 'page', query),
    queryFn: ({ signal }) => unwrap(api.GET('/api/admin/tenants', { params: { query }, signal })),
  });
}

export function tenantQuery(id: string) {
  return queryOptions({
    queryKey: key('tenant', 'one', id),
    queryFn: ({ signal }) => unwrap(api.GET('/api/admin/tenants/{id}', { params: { path: { id } }, signal })),
  });
}

export function quotasQuery(id: string) {
  return queryOptions({
    queryKey: key('quota', id),
    queryFn: async ({ signal }) => {
      const asked = api.GET('/api/admin/tenants/{id}/quotas', { params: { path: { id } }, signal });
      const quotas = await unwrap(asked);
      return { quotas, version: versionOf((await asked).response) };
    },
  });
}
