import { Button, Group, Modal, ScrollArea, Stack, Table, Text } from '@mantine/core';
import { IconCheck, IconX } from '@tabler/icons-react';
import { Pill } from '@/lib/pills/Pill';
import { JobPill } from '@/lib/pills/pills';
import { SmallTable } from '@/lib/show/SmallTable';
import { shortId } from '../servers';
import type { JobsDone } from './jobs';

export interface Asked extends JobsDone {
  /** What the answer to each says of it. */
  asked: string;
}

/** What became of each job that something was done with. */
export function BulkResult({ result, close }: { result: Asked | undefined; close: () => void }) {
  return (
    <Modal opened={Boolean(result)} onClose={close} title="What became of each" size="lg">
      {result && (
        <Stack gap="sm">
          <Text size="sm">
            {result.asked}: {result.done}; refused: {result.refused}.
          </Text>
          <ScrollArea.Autosize mah={400} viewportProps={{ tabIndex: 0 }}>
            <SmallTable label="What became of each" heads={['Job', 'Result', 'Now, or why not']}>
              {result.items.map(({ id, ok, state, detail }) => (
                <Table.Tr key={id}>
                  <Table.Td ff="monospace" style={{ whiteSpace: 'nowrap' }}>
                    {shortId(id)}
                  </Table.Td>
                  <Table.Td>
                    {ok ? (
                      <Pill tone="good" icon={IconCheck}>
                        {result.asked}
                      </Pill>
                    ) : (
                      <Pill tone="bad" icon={IconX}>
                        Refused
                      </Pill>
                    )}
                  </Table.Td>
                  <Table.Td>{state ? <JobPill state={state} /> : detail}</Table.Td>
                </Table.Tr>
              ))}
            </SmallTable>
          </ScrollArea.Autosize>
          <Group justify="flex-end">
            <Button onClick={close}>Close</Button>
          </Group>
        </Stack>
      )}
    </Modal>
  );
}
