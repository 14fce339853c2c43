import { Group, ScrollArea, Stack, Table, Text } from '@mantine/core';
import { IconBan, IconCheck, IconTarget } from '@tabler/icons-react';
import type { components } from '@/api/schema';
import { words } from '@/lib/jobs/job';
import { Pill } from '@/lib/pills/Pill';

type Explanation = components['schemas']['Explanation'];
type Considered = Explanation['considered'][number];

/** What the scheduler thought of each server. */
export function WhyHere({ explanation }: { explanation: Explanation }) {
  const { servers, fitting, rejected_by_reason, considered } = explanation;
  const reasons = Object.entries(rejected_by_reason);
  return (
    <Stack gap="xs">
      <Text size="sm">
        {fitting} of {servers} {servers === 1 ? 'server' : 'servers'} can take it
        {reasons.length > 0 &&
          `; refused: ${reasons.map(([code, count]) => `${count} for ${words(code).toLowerCase()}`).join(', ')}`}
        .{fitting > 1 && ' The smallest score takes it: how lopsided, and how empty, it would leave the server.'}
      </Text>
      {considered.length > 0 && (
        <ScrollArea.Autosize mah={260} type="auto" viewportProps={{ tabIndex: 0 }}>
          <Table verticalSpacing={5} aria-label="What was thought of each server">
            <Table.Tbody>
              {considered.map((one) => (
                <Table.Tr key={one.server}>
                  <Table.Th scope="row" fw={600} w={120}>
                    {one.name}
                  </Table.Th>
                  <Table.Td>
                    <Verdict of={one} />
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </ScrollArea.Autosize>
      )}
    </Stack>
  );
}

function Verdict({ of }: { of: Considered }) {
  switch (of.verdict) {
    case 'chosen':
      return (
        <Group gap="xs">
          <Pill tone="good" icon={IconTarget}>
            Chosen
          </Pill>
          <Text size="sm" c="dimmed">
            storage {of.storage}, {scoreOf(of.score)}
          </Text>
        </Group>
      );
    case 'fits':
      return (
        <Group gap="xs">
          <Pill tone="plain" icon={IconCheck}>
            Fits
          </Pill>
          <Text size="sm" c="dimmed">
            {scoreOf(of.score)}
          </Text>
        </Group>
      );
    case 'rejected':
      return (
        <Group gap="xs" wrap="nowrap" align="flex-start">
          <Pill tone="warn" icon={IconBan}>
            Refused
          </Pill>
          <Text size="sm">{of.reasons.map(({ text }) => text).join('; ')}</Text>
        </Group>
      );
  }
}

/** How lopsided, and how empty, it would leave the server, in percents. */
function scoreOf({ packing_ppm, beside_own }: components['schemas']['Score']): string {
  const score = `score ${(packing_ppm / 10_000).toFixed(1)}`;
  return beside_own ? `${score}, but beside another of its tenant's` : score;
}
