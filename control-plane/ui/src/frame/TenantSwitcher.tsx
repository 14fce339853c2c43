import { Combobox, InputBase, Text, useCombobox } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { IconBuilding, IconSelector, IconWorld } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { useMe, useScope } from '@/api/me';
import { tenantsQuery, useTenantName } from './tenants';

const PLATFORM = '';
const TYPING_MS = 250;

/** Says whose data is shown, and lets those who may see others' choose. */
export function TenantSwitcher() {
  const { staff, memberships } = useMe();
  const { isPlatform, tenant } = useScope();
  const name = useTenantName(tenant);
  const label = isPlatform ? 'Platform' : name;
  if (staff || memberships.filter((one) => one.active).length > 1) return <Switcher label={label} />;
  return (
    <Text truncate size="sm" c="dimmed" visibleFrom="xs">
      {label}
    </Text>
  );
}

function Switcher({ label }: { label: string }) {
  const { staff } = useMe();
  const { isPlatform, tenant } = useScope();
  const navigate = useNavigate();
  const [query, setQuery] = useState('');
  const combobox = useCombobox({
    onDropdownOpen: () => combobox.focusSearchInput(),
    onDropdownClose: () => setQuery(''),
  });
  const Icon = isPlatform ? IconWorld : IconBuilding;
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
        {staff && (
          <Combobox.Search
            value={query}
            onChange={(event) => setQuery(event.currentTarget.value)}
            placeholder="Its name begins with"
            aria-label="Search tenants"
          />
        )}
        <Combobox.Options mah={320} style={{ overflowY: 'auto' }} aria-label="Tenants">
          {staff ? <All query={query.trim()} isOpen={combobox.dropdownOpened} /> : <Own />}
        </Combobox.Options>
      </Combobox.Dropdown>
    </Combobox>
  );
}

function All({ query, isOpen }: { query: string; isOpen: boolean }) {
  const { isPlatform, tenant } = useScope();
  const [asked] = useDebouncedValue(query, TYPING_MS);
  const found = useQuery({ ...tenantsQuery(asked), enabled: isOpen });
  return (
    <>
      {!query && (
        <Combobox.Option value={PLATFORM} active={isPlatform}>
          <b>Platform</b>
          <Text size="xs" c="dimmed">
            All tenants, and the servers
          </Text>
        </Combobox.Option>
      )}
      {found.data?.items.map(({ id, name }) => (
        <Combobox.Option key={id} value={id} active={id === tenant}>
          {name}
        </Combobox.Option>
      ))}
      {found.isLoading && <Combobox.Empty>Loading…</Combobox.Empty>}
      {found.data?.items.length === 0 && <Combobox.Empty>No tenant is so called</Combobox.Empty>}
      {found.data?.next_page_token && <Combobox.Empty>There are more: type the beginning of a name</Combobox.Empty>}
    </>
  );
}

function Own() {
  const { memberships } = useMe();
  const active = memberships.filter((one) => one.active);
  return active.map(({ tenant_id, role }) => <OwnOption key={tenant_id} id={tenant_id} role={role} />);
}

function OwnOption({ id, role }: { id: string; role: string }) {
  const { tenant } = useScope();
  return (
    <Combobox.Option value={id} active={id === tenant}>
      {useTenantName(id)}
      <Text size="xs" c="dimmed">
        {role.charAt(0) + role.slice(1).toLowerCase()}
      </Text>
    </Combobox.Option>
  );
}
