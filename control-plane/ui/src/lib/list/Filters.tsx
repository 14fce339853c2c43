import { Button, Group, Select, TextInput } from '@mantine/core';
import { useDebouncedCallback, useDisclosure, useMediaQuery } from '@mantine/hooks';
import { IconFilter, IconFilterOff } from '@tabler/icons-react';
import { type ReactNode, useEffect, useRef, useState } from 'react';
import { useListSearch } from './useListSearch';

interface Props {
  /** The parameters that are filters. */
  names: string[];
  children: ReactNode;
}

/** The filters of a list, in the URL. On a phone they are behind a button. */
export function Filters({ names, children }: Props) {
  const { search, change } = useListSearch();
  const [open, { toggle }] = useDisclosure(false);
  const isNarrow = useMediaQuery('(max-width: 36em)', false, { getInitialValueInEffect: false });
  const set = names.filter((name) => search[name] !== undefined);
  return (
    <Group component="search" gap="xs" align="flex-end">
      {isNarrow && (
        <Button
          size="xs"
          variant="default"
          aria-expanded={open}
          leftSection={<IconFilter aria-hidden size={14} />}
          onClick={toggle}
        >
          {set.length > 0 ? `Filters (${set.length})` : 'Filters'}
        </Button>
      )}
      {(open || !isNarrow) && children}
      {set.length > 0 && (
        <Button
          size="xs"
          variant="subtle"
          leftSection={<IconFilterOff aria-hidden size={14} />}
          onClick={() => change(Object.fromEntries(names.map((name) => [name, undefined])))}
        >
          Clear
        </Button>
      )}
    </Group>
  );
}

/** Whether a list is narrowed, and its emptiness the filters'. */
export function useIsFiltered(names: string[]): boolean {
  const { search } = useListSearch();
  return names.some((name) => search[name] !== undefined);
}

interface SelectProps {
  name: string;
  label: string;
  options: { value: string; label: string }[];
}

export function FilterSelect({ name, label, options }: SelectProps) {
  const { search, change } = useListSearch();
  return (
    <Select
      size="xs"
      label={label}
      placeholder="All"
      clearable
      data={options}
      w={{ base: '100%', xs: 150 }}
      value={search[name] === undefined ? null : String(search[name])}
      onChange={(value) => change({ [name]: value ?? undefined })}
    />
  );
}

interface TextProps {
  name: string;
  label: string;
  placeholder?: string;
}

const TYPING_MS = 350;

export function FilterText({ name, label, placeholder }: TextProps) {
  const { search, change } = useListSearch();
  const inUrl = String(search[name] ?? '');
  const [typed, setTyped] = useState(inUrl);
  // What was typed here and is in the URL now is shown as it was typed: a space at its end may be followed by a word.
  const applied = useRef(inUrl);
  useEffect(() => {
    if (inUrl === applied.current) return;
    applied.current = inUrl;
    setTyped(inUrl);
  }, [inUrl]);
  const apply = useDebouncedCallback((text: string) => {
    applied.current = text.trim();
    change({ [name]: applied.current || undefined }, { replace: true });
  }, TYPING_MS);
  return (
    <TextInput
      size="xs"
      label={label}
      placeholder={placeholder}
      w={{ base: '100%', xs: 170 }}
      value={typed}
      onChange={(event) => {
        setTyped(event.currentTarget.value);
        apply(event.currentTarget.value);
      }}
    />
  );
}
