import { queryOptions, useQuery } from '@tanstack/react-query';
import { api, unwrap } from '@/api/client';
import { key } from '@/api/keys';
import { useCan } from '@/api/me';

export function tenantsQuery() {
  return queryOptions({
    queryKey: key('tenant', 'list'),
    queryFn: ({ signal }) => unwrap(api.GET('/api/admin/tenants', { params: { query: { limit: 200 } }, signal })),
    staleTime: 300_000,
    // Who belongs to several tenants cannot list them; their ids are shown then.
    retry: false,
  });
}

/** What a tenant is called, as far as the one who is signed in can know; the end of its id otherwise. */
export function useTenantName(tenant: string | undefined): string {
  const can = useCan();
  const listed = useQuery({ ...tenantsQuery(), enabled: Boolean(tenant) && can('tenants:read') });
  if (!tenant) return '';
  return listed.data?.items.find((one) => one.id === tenant)?.name ?? `Tenant …${tenant.slice(-6)}`;
}
