import { Stack, Table, Text, Title } from '@mantine/core';
import type { ReactNode } from 'react';
import { SmallTable } from '@/lib/show/SmallTable';

interface Props<T> {
  title: string;
  items: T[];
  rowKey: (item: T) => string;
  columns: { title: string; show: (item: T) => ReactNode }[];
  /** Where all of them are. */
  all?: ReactNode;
  empty: string;
}

/** The overview gives the newest of each. */
const SHOWN_MAX = 20;

/** A short list within the drawer. */
export function Rows<T>({ title, items, rowKey, columns, all, empty }: Props<T>) {
  return (
    <Stack gap="xs">
      <Title order={3}>{title}</Title>
      {items.length === 0 ? (
        <Text size="sm" c="dimmed">
          {empty}
        </Text>
      ) : (
        <SmallTable label={title} heads={columns.map((column) => column.title)}>
          {items.map((item) => (
            <Table.Tr key={rowKey(item)}>
              {columns.map((column) => (
                <Table.Td key={column.title}>{column.show(item)}</Table.Td>
              ))}
            </Table.Tr>
          ))}
        </SmallTable>
      )}
      {items.length >= SHOWN_MAX && (
        <Text size="xs" c="dimmed">
          The newest {SHOWN_MAX} are shown.
        </Text>
      )}
      {all}
    </Stack>
  );
}
