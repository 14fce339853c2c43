import { Group, Stack, Text, Title } from '@mantine/core';
import { type ReactNode, useEffect } from 'react';

interface Props {
  title: string;
  /** Beside the title, such as its state. */
  beside?: ReactNode;
  /** What can be done here. */
  actions?: ReactNode;
  /** One line below the title. */
  about?: ReactNode;
  children: ReactNode;
}

/** What every page begins with. */
export function Page({ title, beside, actions, about, children }: Props) {
  useEffect(() => {
    document.title = `${title} · mPanel`;
  }, [title]);
  return (
    <Stack gap="md">
      <Group justify="space-between" align="flex-start" gap="sm" mih={36}>
        <Stack gap={2}>
          <Group gap="sm">
            <Title order={1}>{title}</Title>
            {beside}
          </Group>
          {about && (
            <Text size="sm" c="dimmed" component="div" style={{ overflowWrap: 'anywhere' }}>
              {about}
            </Text>
          )}
        </Stack>
        {actions && <Group gap="xs">{actions}</Group>}
      </Group>
      {children}
    </Stack>
  );
}
