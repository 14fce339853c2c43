import { Table, UnstyledButton } from '@mantine/core';
import { IconArrowDown, IconArrowsSort, IconArrowUp } from '@tabler/icons-react';
import type { Column } from './List';
import classes from './List.module.css';
import { useListSearch } from './useListSearch';

/** A column's head; where the API sorts by it, a button. */
export function SortHead<T>({ column: { title, sort, width, from } }: { column: Column<T> }) {
  const { search, change } = useListSearch();
  if (!sort) {
    return (
      <Table.Th w={width} visibleFrom={from}>
        {title}
      </Table.Th>
    );
  }
  const isUp = search.sort === sort;
  const isDown = search.sort === `-${sort}`;
  const Icon = isUp ? IconArrowUp : isDown ? IconArrowDown : IconArrowsSort;
  return (
    <Table.Th w={width} visibleFrom={from} aria-sort={isUp ? 'ascending' : isDown ? 'descending' : 'none'}>
      <UnstyledButton className={classes.sort} onClick={() => change({ sort: isUp ? `-${sort}` : sort })}>
        {title}
        <Icon aria-hidden size={13} />
      </UnstyledButton>
    </Table.Th>
  );
}
