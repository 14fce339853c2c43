import { Checkbox, Paper, ScrollArea, Skeleton, Stack, Table } from '@mantine/core';
import { useMediaQuery } from '@mantine/hooks';
import type { UseQueryResult } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { ProblemAlert } from '../page/ProblemAlert';
import { Cards } from './Cards';
import classes from './List.module.css';
import { openRow } from './openRow';
import { Pager } from './Pager';
import { SortHead } from './SortHead';

export interface Column<T> {
  key: string;
  title: string;
  /** The API's `sort` by it; `-` before it is the other way. */
  sort?: string;
  width?: number | string;
  /** Left out where there is less room. */
  from?: 'md' | 'lg';
  show: (item: T) => ReactNode;
}

export interface Page<T> {
  items: T[];
  next_page_token?: string | null;
}

export interface Selection {
  chosen: ReadonlySet<string>;
  choose: (chosen: Set<string>) => void;
}

export interface ItemsProps<T> {
  /** What is listed, for who does not see it. */
  label: string;
  items: T[];
  rowKey: (item: T) => string;
  /** The first is the row's name: a link to what the row is about, or a button that opens it, with `{...rowLink}`. */
  columns: Column<T>[];
  selection?: Selection;
}

interface ListProps<T> extends Omit<ItemsProps<T>, 'items'> {
  query: UseQueryResult<Page<T>>;
  /** Shown where there is nothing: say what to do next. */
  empty: ReactNode;
}

/** Makes the link or button of a row's name the one that the whole row presses. */
export const rowLink = { className: classes.link, 'data-row-link': true } as const;

const PLACES = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];

/** A page of a list: a table, or cards on a phone. Filters, sort and page are in the URL. */
export function List<T>(props: ListProps<T>) {
  const { query, empty } = props;
  if (query.isPending) {
    return (
      <Stack gap={8} role="status" aria-busy="true" aria-label="Loading">
        {PLACES.map((place) => (
          <Skeleton key={place} h={44} />
        ))}
      </Stack>
    );
  }
  if (query.isError && !query.data) return <ProblemAlert problem={query.error} retry={() => void query.refetch()} />;
  const page: Page<T> = query.data;
  return (
    <Stack gap="xs">
      {query.isError && (
        <ProblemAlert problem={query.error} title="This is how it was before" retry={() => void query.refetch()} />
      )}
      {page.items.length === 0 ? <Paper withBorder>{empty}</Paper> : <Items {...props} items={page.items} />}
      <Pager next={page.next_page_token ?? undefined} count={page.items.length} />
    </Stack>
  );
}

/** A table, or cards on a phone. */
export function Items<T>(props: ItemsProps<T>) {
  const isNarrow = useMediaQuery('(max-width: 48em)', false, { getInitialValueInEffect: false });
  return isNarrow ? <Cards {...props} /> : <Rows {...props} />;
}

function Rows<T>({ label, columns, rowKey, selection, items }: ItemsProps<T>) {
  const keys = items.map(rowKey);
  const chosen = keys.filter((one) => selection?.chosen.has(one)).length;
  return (
    <Paper withBorder className={classes.frame}>
      <ScrollArea type="auto" scrollbars="x">
        <Table verticalSpacing={7} horizontalSpacing="sm" highlightOnHover aria-label={label} className={classes.table}>
          <Table.Thead>
            <Table.Tr>
              {selection && (
                <Table.Th w={40}>
                  <Checkbox
                    size="xs"
                    aria-label="Choose all of this page"
                    checked={chosen === keys.length}
                    indeterminate={chosen > 0 && chosen < keys.length}
                    onChange={() => selection.choose(chosen === keys.length ? new Set() : new Set(keys))}
                  />
                </Table.Th>
              )}
              {columns.map((column) => (
                <SortHead key={column.key} column={column} />
              ))}
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {items.map((item) => (
              <Table.Tr
                key={rowKey(item)}
                className={classes.row}
                onClick={openRow}
                data-chosen={selection?.chosen.has(rowKey(item))}
              >
                {selection && (
                  <Table.Td>
                    <ChooseBox id={rowKey(item)} selection={selection} />
                  </Table.Td>
                )}
                {columns.map(({ key, from, show }) => (
                  <Table.Td key={key} visibleFrom={from}>
                    {show(item)}
                  </Table.Td>
                ))}
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </ScrollArea>
    </Paper>
  );
}

export function ChooseBox({ id, selection }: { id: string; selection: Selection }) {
  const toggle = () => {
    const next = new Set(selection.chosen);
    if (!next.delete(id)) next.add(id);
    selection.choose(next);
  };
  return <Checkbox size="xs" aria-label="Choose this one" checked={selection.chosen.has(id)} onChange={toggle} />;
}
