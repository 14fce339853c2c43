import { Anchor, Table, Text } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import type { components } from '@/api/schema';
import { SmallTable } from '@/lib/show/SmallTable';
import { number } from '@/lib/show/units';

const KINDS: Record<components['schemas']['AuditBreakKind'], string> = {
  altered: 'Altered',
  missing: 'Missing',
  gap: 'Gap',
  truncated: 'Truncated',
  unknown: 'Put in',
  rewritten: 'Rewritten',
};

/** Where something does not fit. */
export function Breaks({ breaks }: { breaks: components['schemas']['AuditBreak'][] }) {
  if (breaks.length === 0) return null;
  return (
    <SmallTable label="What does not fit" heads={['What', 'Link', 'In words']}>
      {breaks.map(({ kind, seq, record_id, detail }) => (
        <Table.Tr key={`${kind} ${seq} ${record_id}`}>
          <Table.Td>{KINDS[kind]}</Table.Td>
          <Table.Td>{seq == null ? '–' : number(seq)}</Table.Td>
          <Table.Td>
            <Text size="sm" style={{ overflowWrap: 'anywhere' }}>
              {detail}
            </Text>
            {record_id && (
              <Anchor size="xs" renderRoot={(props) => <Link to="/audit" search={{ record: record_id }} {...props} />}>
                The record
              </Anchor>
            )}
          </Table.Td>
        </Table.Tr>
      ))}
    </SmallTable>
  );
}
