import { Switch, Table, Text } from '@mantine/core';
import { useState } from 'react';
import classes from './DifferenceTable.module.css';
import type { Difference } from './detail';

/** What was beside what is. */
export function DifferenceTable({ differences }: { differences: Difference[] }) {
  const [all, setAll] = useState(false);
  const changed = differences.filter(({ isChanged }) => isChanged);
  const shown = all || changed.length === 0 ? differences : changed;
  return (
    <>
      <Table verticalSpacing={6} layout="fixed" aria-label="Before and after" className={classes.table}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th w="28%">Field</Table.Th>
            <Table.Th>Before</Table.Th>
            <Table.Th>After</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {shown.map(({ field, before, after, isChanged }) => (
            <Table.Tr key={field}>
              <Table.Th scope="row">{field}</Table.Th>
              <Table.Td>
                <Side value={before} sign={isChanged && before !== undefined ? '−' : undefined} kind="before" />
              </Table.Td>
              <Table.Td>
                <Side value={after} sign={isChanged && after !== undefined ? '+' : undefined} kind="after" />
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      {changed.length > 0 && changed.length < differences.length && (
        <Switch
          size="xs"
          label={`Show the ${differences.length - changed.length} that stayed`}
          checked={all}
          onChange={(event) => setAll(event.currentTarget.checked)}
        />
      )}
    </>
  );
}

function Side({ value, sign, kind }: { value: string | undefined; sign?: string; kind: 'before' | 'after' }) {
  if (value === undefined) {
    return (
      <Text size="sm" c="dimmed">
        –
      </Text>
    );
  }
  return (
    <span className={classes.value} data-changed={sign && kind}>
      {sign && <span aria-hidden>{sign} </span>}
      {value === '' ? <i>empty</i> : value}
    </span>
  );
}
