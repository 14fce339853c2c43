import { Combobox, InputBase, Text, useCombobox } from '@mantine/core';
import { IconBuilding, IconSelector, IconWorld } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { useCan, useMe, useScope } from '@/api/me';
import { tenantsQuery, useTenantName } from './tenants';

const PLATFORM = '';
const SHOWN_MAX = 50;

/** Says whose data is shown, and lets those who may see others' choose. */
export function TenantSwitcher() {
  const me = useMe();
  const can = useCan();
  const { isPlatform, tenant } = useScope();
  const navigate = useNavigate();
  const [query, setQuery] = useState('');
  const combobox = useCombobox({
    onDropdownOpen: () => combobox.focusSearchInput(),
    onDropdownClose: () => setQuery(''),
  });
  const mayChoose = me.staff || me.memberships.filter((one) => one.active).length > 1;
  const listed = useQuery({ ...tenantsQuery(), enabled: me.staff && can('tenants:read') && combobox.dropdownOpened });
  const name = useTenantName(tenant);
  const label = isPlatform ? 'Platform' : name;
  const Icon = isPlatform ? IconWorld : IconBuilding;
  if (!mayChoose)
    return (
      <Text truncate size="sm" c="dimmed" visibleFrom="xs">
        {label}
      </Text>
    );

  const ids = me.staff
    ? (listed.data?.items ?? [])
    : me.memberships.filter((one) => one.active).map((one) => ({ id: one.tenant_id, name: one.tenant_id }));
  const wanted = query.trim().toLowerCase();
  const found = ids.filter((one) => `${one.name} ${one.id}`.toLowerCase().includes(wanted)).slice(0, SHOWN_MAX);
  const choose = (value: string) => {
    combobox.closeDropdown();
    // A page of one tenant's may not be there in another's.
    void navigate({ to: '/', search: { tenant: value || undefined } });
  };

  return (
    <Combobox store={combobox} width={280} position="bottom-start" onOptionSubmit={choose}>
      <Combobox.Target targetType="button">
        <InputBase
          component="button"
          type="button"
          pointer
          size="xs"
          aria-label={`Shown: ${label}. Choose a tenant`}
          leftSection={<Icon aria-hidden size={15} stroke={1.6} />}
          rightSection={<IconSelector aria-hidden size={14} />}
          rightSectionPointerEvents="none"
          onClick={() => combobox.toggleDropdown()}
          w={{ base: 130, sm: 190 }}
          data-tenant={tenant ?? 'platform'}
        >
          <Text truncate size="xs" fw={600}>
            {label}
          </Text>
        </InputBase>
      </Combobox.Target>
      <Combobox.Dropdown>
        <Combobox.Search
          value={query}
          onChange={(event) => setQuery(event.currentTarget.value)}
          placeholder="Name or id"
          aria-label="Search tenants"
        />
        <Combobox.Options mah={320} style={{ overflowY: 'auto' }} aria-label="Tenants">
          {me.staff && !wanted && (
            <Combobox.Option value={PLATFORM} active={isPlatform}>
              <b>Platform</b>
              <Text size="xs" c="dimmed">
                All tenants, and the servers
              </Text>
            </Combobox.Option>
          )}
          {found.map((one) => (
            <Combobox.Option key={one.id} value={one.id} active={one.id === tenant}>
              {one.name}
            </Combobox.Option>
          ))}
          {found.length === 0 && (
            <Combobox.Empty>{listed.isLoading ? 'Loading…' : 'No tenant is so called'}</Combobox.Empty>
          )}
        </Combobox.Options>
        {listed.data?.next_page_token && (
          <Combobox.Footer>
            <Text size="xs" c="dimmed">
              These are the first 200; the others are among the customers.
            </Text>
          </Combobox.Footer>
        )}
      </Combobox.Dropdown>
    </Combobox>
  );
}
