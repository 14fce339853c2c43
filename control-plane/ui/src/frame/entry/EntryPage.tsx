import { Center, Group, Paper, Stack, Text, Title } from '@mantine/core';
import { type ReactNode, useEffect } from 'react';
import { Logo } from '../Logo';

interface Props {
  title: string;
  about?: ReactNode;
  children: ReactNode;
}

/** The frame of the pages before the sign-in. */
export function EntryPage({ title, about, children }: Props) {
  useEffect(() => {
    document.title = `${title} · mPanel`;
  }, [title]);
  return (
    <Center
      component="main"
      mih="100dvh"
      p="md"
      bg="light-dark(var(--mantine-color-gray-0), var(--mantine-color-dark-8))"
    >
      <Paper withBorder p="xl" w="100%" maw={400} shadow="sm">
        <Stack>
          <Group gap="xs">
            <Logo size={28} />
            <Text fw={700} size="lg">
              mPanel
            </Text>
          </Group>
          <div>
            <Title order={1}>{title}</Title>
            {about && (
              <Text size="sm" c="dimmed" mt={4} component="div">
                {about}
              </Text>
            )}
          </div>
          {children}
        </Stack>
      </Paper>
    </Center>
  );
}
