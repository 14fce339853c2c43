import { ActionIcon, Group, Kbd, Modal, Stack, Text } from '@mantine/core';
import { useDisclosure, useHotkeys } from '@mantine/hooks';
import { IconKeyboard } from '@tabler/icons-react';
import { useNavigate } from '@tanstack/react-router';
import { useEffect } from 'react';
import type { MenuEntry } from './menu';
import { useMenu } from './Navigation';

/** A second key has so long to follow `g`. */
const SECOND_KEY_MS = 1500;

export function Shortcuts() {
  const [open, help] = useDisclosure(false);
  const entries = useMenu().filter((entry) => entry.shortcut);
  useHotkeys([['shift+?', help.toggle, { usePhysicalKeys: false }]]);
  useGo(entries);
  return (
    <>
      <ActionIcon
        variant="subtle"
        color="gray"
        size="lg"
        aria-label="Keyboard shortcuts"
        onClick={help.open}
        visibleFrom="sm"
      >
        <IconKeyboard aria-hidden size={20} stroke={1.6} />
      </ActionIcon>
      <Modal opened={open} onClose={help.close} title="Keyboard shortcuts">
        <Stack gap="xs">
          <Line keys={['/']} label="Search" />
          <Line keys={['Ctrl', 'K']} label="Search" />
          <Line keys={['?']} label="This help" />
          {entries.map(({ to, label, shortcut }) => (
            <Line key={to} keys={['g', shortcut ?? '']} label={`Go to ${label}`} />
          ))}
        </Stack>
      </Modal>
    </>
  );
}

function Line({ keys, label }: { keys: string[]; label: string }) {
  return (
    <Group justify="space-between">
      <Text size="sm">{label}</Text>
      <Group gap={4}>
        {keys.map((one) => (
          <Kbd key={one}>{one}</Kbd>
        ))}
      </Group>
    </Group>
  );
}

/** `g`, then a module's key. */
function useGo(entries: MenuEntry[]): void {
  const navigate = useNavigate();
  useEffect(() => {
    let begun = 0;
    const press = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
      const isSecond = event.timeStamp - begun < SECOND_KEY_MS;
      begun = event.key === 'g' ? event.timeStamp : 0;
      const entry = isSecond && entries.find((one) => one.shortcut === event.key);
      if (entry) void navigate({ to: entry.to });
    };
    document.addEventListener('keydown', press);
    return () => document.removeEventListener('keydown', press);
  }, [entries, navigate]);
}

function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement && target.matches('input, textarea, select, [contenteditable], [role="textbox"]')
  );
}
