import { Select, type SelectProps } from '@mantine/core';
import { useDebouncedValue, useDisclosure } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { type Server, serverQuery, serversQuery } from './servers';

interface Props
  extends Pick<
    SelectProps,
    'label' | 'aria-label' | 'description' | 'placeholder' | 'size' | 'w' | 'flex' | 'required' | 'readOnly' | 'error'
  > {
  /** What stands for one: `value` is its id, or its name. */
  by: 'id' | 'name';
  value?: string | null;
  onChange: (server: string | null) => void;
  /** What is said of one beside its name. */
  about?: (server: Server) => string;
  isPossible?: (server: Server) => boolean;
}

const TYPING_MS = 250;
/** So many are offered: who does not see theirs types more of its name. */
const OFFERED = 50;

/** Chooses one of the servers, of thousands, by the beginning of its name. They are asked for when somebody opens it. */
export function ServerSelect({ by, value, about, isPossible, ...props }: Props) {
  const [isOpen, { open, close }] = useDisclosure(false);
  const [typed, setTyped] = useState('');
  const [asked] = useDebouncedValue(typed.trim(), TYPING_MS);
  const labelOf = (server: Server) => (about ? `${server.name} – ${about(server)}` : server.name);
  const chosen = useQuery({ ...serverQuery(value ?? ''), enabled: Boolean(value) && (by === 'id' || Boolean(about)) });
  const label = chosen.data ? labelOf(chosen.data) : (value ?? '');
  // What is chosen stands in the field, and is not what somebody looks for.
  const name_prefix = asked === label ? undefined : asked || undefined;
  const found = useQuery({ ...serversQuery({ name_prefix, sort: 'name', limit: OFFERED }), enabled: isOpen });
  const options = (found.data?.items ?? []).map((server) => {
    return { value: server[by], label: labelOf(server), disabled: isPossible?.(server) === false };
  });
  const isListed = !value || options.some((one) => one.value === value);
  return (
    <Select
      {...props}
      value={value || null}
      clearable={!props.required}
      searchable
      onDropdownOpen={open}
      onDropdownClose={close}
      onSearchChange={setTyped}
      // The server has searched already.
      filter={({ options: all }) => all}
      data={isListed ? options : [{ value, label }, ...options]}
      nothingFoundMessage={found.isPending ? 'Looking for it …' : 'No name begins so'}
    />
  );
}
