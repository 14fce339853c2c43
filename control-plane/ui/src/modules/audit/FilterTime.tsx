import { TextInput } from '@mantine/core';
import { useListSearch } from '@/lib/list/useListSearch';

/** A moment as a filter: in the URL as the API has it, here as the clock on the wall has it. */
export function FilterTime({ name, label }: { name: string; label: string }) {
  const { search, change } = useListSearch();
  const inUrl = search[name] === undefined ? '' : local(String(search[name]));
  return (
    <TextInput
      key={inUrl}
      type="datetime-local"
      size="xs"
      label={label}
      w={{ base: '100%', xs: 180 }}
      defaultValue={inUrl}
      // Half of a time is none: it counts when one leaves the field.
      onBlur={(event) => {
        const typed = event.currentTarget.value;
        if (typed !== inUrl) change({ [name]: typed ? new Date(typed).toISOString() : undefined });
      }}
      onKeyDown={(event) => event.key === 'Enter' && event.currentTarget.blur()}
    />
  );
}

function local(at: string): string {
  const time = new Date(at);
  if (Number.isNaN(time.getTime())) return '';
  const two = (value: number) => String(value).padStart(2, '0');
  const day = `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`;
  return `${day}T${two(time.getHours())}:${two(time.getMinutes())}`;
}
