import { Group, Paper, Stack, Text, Title } from '@mantine/core';
import type { ReactNode } from 'react';

interface Props {
  title: string;
  about?: ReactNode;
  beside?: ReactNode;
  actions?: ReactNode;
  children?: ReactNode;
}

/** A part of a page, with its own heading. */
export function Section({ title, about, beside, actions, children }: Props) {
  return (
    <Paper withBorder p="md" component="section" aria-label={title}>
      <Stack gap="sm">
        <Group justify="space-between" align="flex-start" gap="xs" fz="sm">
          <div>
            <Group gap="xs">
              <Title order={2}>{title}</Title>
              {beside}
            </Group>
            {about && (
              <Text size="sm" c="dimmed" component="div" style={{ overflowWrap: 'anywhere' }}>
                {about}
              </Text>
            )}
          </div>
          {actions}
        </Group>
        {children}
      </Stack>
    </Paper>
  );
}
