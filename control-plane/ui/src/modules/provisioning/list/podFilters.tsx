import { Select } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { tenantsQuery, useTenantName } from '@/frame/tenants';
import { useListSearch } from '@/lib/list/useListSearch';
import { ServerSelect } from '@/modules/servers/ServerSelect';

const TYPING_MS = 250;

/** Servers by name, for who is shown them. */
export function ServerFilter({ by }: { by: 'id' | 'name' }) {
  const { search, change } = useListSearch();
  return (
    <ServerSelect
      by={by}
      size="xs"
      label="Server"
      placeholder="All"
      w={{ base: '100%', xs: 150 }}
      value={search.server_id === undefined ? null : String(search.server_id)}
      onChange={(server_id) => change({ server_id: server_id ?? undefined })}
    />
  );
}

/** For staff who look at the platform: of one tenant, without becoming one of theirs. */
export function TenantFilter() {
  const { search, change } = useListSearch();
  const [typed, setTyped] = useState('');
  const [prefix] = useDebouncedValue(typed, TYPING_MS);
  const chosen = search.tenant_id === undefined ? undefined : String(search.tenant_id);
  const name = useTenantName(chosen);
  const { data } = useQuery(tenantsQuery(prefix === name ? '' : prefix));
  const found = (data?.items ?? []).map((tenant) => ({ value: tenant.id, label: tenant.name }));
  return (
    <Select
      size="xs"
      label="Tenant"
      placeholder="All"
      clearable
      searchable
      nothingFoundMessage="No name begins so"
      w={{ base: '100%', xs: 170 }}
      data={chosen && !found.some((one) => one.value === chosen) ? [{ value: chosen, label: name }, ...found] : found}
      onSearchChange={setTyped}
      // The server has searched already.
      filter={({ options }) => options}
      value={chosen ?? null}
      onChange={(tenant_id) => change({ tenant_id: tenant_id ?? undefined })}
    />
  );
}
