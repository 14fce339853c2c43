import { ScrollArea, Table } from '@mantine/core';
import type { ReactNode } from 'react';
import classes from './SmallTable.module.css';

interface Props {
  label: string;
  heads: ReactNode[];
  /** The rows. */
  children: ReactNode;
}

/** A table within a section, of few rows. */
export function SmallTable({ label, heads, children }: Props) {
  return (
    <ScrollArea
      type="auto"
      scrollbars="x"
      viewportProps={{ tabIndex: 0, role: 'region', 'aria-label': `${label}, table` }}
    >
      <Table verticalSpacing={6} aria-label={label} className={classes.table}>
        <Table.Thead>
          <Table.Tr>
            {heads.map((head, index) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: columns do not move
              <Table.Th key={index}>{head}</Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>{children}</Table.Tbody>
      </Table>
    </ScrollArea>
  );
}
