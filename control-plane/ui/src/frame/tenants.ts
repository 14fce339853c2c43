import { queryOptions, useQuery } from '@tanstack/react-query';
import { api, unwrap } from '@/api/client';
import { key } from '@/api/keys';
import { useMe } from '@/api/me';

const LIMIT = 50;

/** For staff: the tenants whose name begins so. */
export function tenantsQuery(name_prefix: string) {
  const query = { name_prefix: name_prefix || undefined, limit: LIMIT };
  return queryOptions({
    queryKey: key('tenant', 'list', query),
    queryFn: ({ signal }) => unwrap(api.GET('/api/admin/tenants', { params: { query }, signal })),
    staleTime: 60_000,
    placeholderData: (before) => before,
  });
}

/** What a tenant is called. */
export function useTenantName(tenant: string | undefined): string {
  const { staff, memberships } = useMe();
  const own = memberships.find((one) => one.tenant_id === tenant)?.tenant_name;
  const listed = useQuery({
    queryKey: key('tenant', 'named', tenant),
    queryFn: ({ signal }) =>
      unwrap(api.GET('/api/admin/tenants', { params: { query: { tenant_id: tenant, limit: 1 } }, signal })),
    enabled: Boolean(tenant) && staff && own === undefined,
    staleTime: 300_000,
  });
  if (!tenant) return '';
  return own ?? listed.data?.items[0]?.name ?? shortOf(tenant);
}

function shortOf(tenant: string): string {
  return `Tenant …${tenant.slice(-6)}`;
}
