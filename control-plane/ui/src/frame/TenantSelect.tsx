import { Select } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { type ReactNode, useState } from 'react';
import { tenantsQuery, useTenantName } from './tenants';

interface Props {
  label: string;
  description?: string;
  required?: boolean;
  value?: string | null;
  onChange: (tenant: string | null) => void;
  error?: ReactNode;
}

const TYPING_MS = 250;

/** Chooses one of the platform's tenants by the beginning of its name. */
export function TenantSelect({ value, ...props }: Props) {
  const [typed, setTyped] = useState('');
  const [asked] = useDebouncedValue(typed, TYPING_MS);
  // Also of one that was chosen before this was shown, and is not among the first.
  const name = useTenantName(value ?? undefined);
  const found = useQuery(tenantsQuery(asked === name ? '' : asked.trim()));
  const options = (found.data?.items ?? []).map((tenant) => ({ value: tenant.id, label: tenant.name }));
  const isListed = !value || options.some((one) => one.value === value);
  return (
    <Select
      {...props}
      value={value || null}
      placeholder="The beginning of its name"
      searchable
      clearable={!props.required}
      allowDeselect={!props.required}
      searchValue={typed}
      onSearchChange={setTyped}
      data={isListed ? options : [{ value, label: name }, ...options]}
      nothingFoundMessage="No tenant is so called"
    />
  );
}
