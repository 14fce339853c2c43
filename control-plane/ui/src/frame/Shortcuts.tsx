import { ActionIcon, Group, Kbd, Modal, Stack, Text } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconKeyboard } from '@tabler/icons-react';
import { useNavigate } from '@tanstack/react-router';
import { useRef } from 'react';
import type { MenuEntry } from './menu';
import { useMenu } from './Navigation';
import { useKey } from './useKey';

/** A second key has so long to follow `g`. */
const SECOND_KEY_MS = 1500;

export function Shortcuts() {
  const [open, help] = useDisclosure(false);
  const entries = useMenu().filter((entry) => entry.shortcut);
  useKey(({ key }) => {
    if (key === '?') help.toggle();
  });
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
  const begun = useRef(Number.NEGATIVE_INFINITY);
  useKey(({ key, timeStamp }) => {
    const isSecond = timeStamp - begun.current < SECOND_KEY_MS;
    begun.current = key === 'g' ? timeStamp : Number.NEGATIVE_INFINITY;
    const entry = isSecond && entries.find((one) => one.shortcut === key);
    if (entry) void navigate({ to: entry.to });
  });
}
