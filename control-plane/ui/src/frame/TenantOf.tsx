import { useQuery } from '@tanstack/react-query';
import { tenantNamesQuery, useTenantName } from './tenants';

/** For staff: what the tenant is called that something names by its id. */
export function TenantOf({ id }: { id: string }) {
  const { data, isPending } = useQuery(tenantNamesQuery());
  const listed = data?.items.find((one) => one.id === id)?.name;
  const name = useTenantName(isPending || listed ? undefined : id);
  return listed ?? name;
}
