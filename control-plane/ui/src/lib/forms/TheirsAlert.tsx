import { Alert, Button, Group, Text } from '@mantine/core';
import type { Theirs } from './useTheirs';

/** Says that somebody has changed what is being edited. */
export function TheirsAlert({ theirs }: { theirs: Theirs }) {
  if (!theirs.isNewer) return null;
  return (
    <Alert color="yellow" role="status">
      <Group justify="space-between" gap="xs">
        <Text size="sm">Somebody else changed it meanwhile.</Text>
        <Button size="xs" variant="default" onClick={theirs.load}>
          Load theirs
        </Button>
      </Group>
    </Alert>
  );
}
