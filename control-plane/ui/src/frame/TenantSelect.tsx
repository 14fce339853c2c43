import { Select } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { type ReactNode, useState } from 'react';
import { tenantsQuery } from './tenants';

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
export function TenantSelect(props: Props) {
  const [typed, setTyped] = useState('');
  const [asked] = useDebouncedValue(typed, TYPING_MS);
  const [chosen, setChosen] = useState<{ value: string; label: string }>();
  const found = useQuery(tenantsQuery(asked === chosen?.label ? '' : asked.trim()));
  const options = (found.data?.items ?? []).map(({ id, name }) => ({ value: id, label: name }));
  const isListed = options.some(({ value }) => value === chosen?.value);
  return (
    <Select
      {...props}
      placeholder="The beginning of its name"
      searchable
      clearable={!props.required}
      searchValue={typed}
      onSearchChange={setTyped}
      data={chosen && !isListed ? [chosen, ...options] : options}
      nothingFoundMessage="No tenant is so called"
      onChange={(value, option) => {
        setChosen(option ?? undefined);
        props.onChange(value);
      }}
    />
  );
}
