import { Group, Stack, Text } from '@mantine/core';
import { Section } from '@/lib/page/Section';
import { Time } from '@/lib/show/Time';
import { Cure, KindPill } from '../../servers/drift/DriftTab';
import { type Drift, said } from '../../servers/drift/drift';

/** For staff: how the pod's host differs, and what can be done about it. */
export function DriftSection({ drifts }: { drifts: Drift[] }) {
  return (
    <Section title="Differences" about="What its host shows against what is wanted">
      {drifts.map((drift) => (
        <Group key={drift.id} justify="space-between" align="flex-start" gap="sm">
          <Stack gap={4} flex="1 1 260px">
            <Group gap="xs">
              <KindPill drift={drift} />
              <Text size="xs" c="dimmed" component="span">
                on {drift.server.name}, VM {drift.vmid}, since <Time at={drift.since} />
              </Text>
            </Group>
            <Text size="sm">
              Wanted: {said(drift.expected) || 'nothing'}. Seen: {said(drift.seen) || 'nothing'}.
            </Text>
          </Stack>
          <Cure drift={drift} />
        </Group>
      ))}
    </Section>
  );
}
