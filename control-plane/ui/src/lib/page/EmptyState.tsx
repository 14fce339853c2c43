import { Stack, Text, ThemeIcon } from '@mantine/core';
import { IconInbox, type TablerIcon } from '@tabler/icons-react';
import type { ReactNode } from 'react';

interface Props {
  icon?: TablerIcon;
  title: string;
  /** What to do next. */
  children?: ReactNode;
  action?: ReactNode;
}

export function EmptyState({ icon: Icon = IconInbox, title, children, action }: Props) {
  return (
    <Stack align="center" gap="xs" py={56} px="md">
      <ThemeIcon variant="light" color="gray" size={44} radius="xl">
        <Icon aria-hidden size={24} stroke={1.5} />
      </ThemeIcon>
      <Text fw={600}>{title}</Text>
      {children && (
        <Text size="sm" c="dimmed" ta="center" maw={420} component="div">
          {children}
        </Text>
      )}
      {action}
    </Stack>
  );
}
