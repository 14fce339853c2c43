import { Button, Group, Popover, Stack, Text, Textarea } from '@mantine/core';
import type RFB from '@novnc/novnc';
import { IconClipboardText, IconKeyboard, IconMaximize } from '@tabler/icons-react';
import { type RefObject, useState } from 'react';
import { tellProblem } from '@/lib/page/tellProblem';
import classes from './Console.module.css';
import { typeText } from './typeText';
import type { ScreenState } from './useScreen';

const TEXT_MAX = 4096;

interface Props {
  state: ScreenState;
  /** What fills the screen. */
  frame: RefObject<HTMLElement | null>;
}

export function ConsoleTools({ state, frame }: Props) {
  const rfb = state.now === 'open' ? state.rfb : undefined;
  const fill = async () => {
    if (document.fullscreenElement) await document.exitFullscreen();
    else await frame.current?.requestFullscreen();
    rfb?.focus();
  };
  return (
    <Group gap="xs" className={classes.tools} role="toolbar" aria-label="Console">
      <Text size="sm" role="status" flex={1}>
        {state.now === 'opening' && 'Opening…'}
        {state.now === 'open' && 'Connected'}
        {state.now === 'ended' && 'Ended'}
      </Text>
      <Button
        size="xs"
        variant="default"
        disabled={!rfb}
        leftSection={<IconKeyboard aria-hidden size={14} />}
        onClick={() => {
          rfb?.sendCtrlAltDel();
          rfb?.focus();
        }}
      >
        Ctrl-Alt-Del
      </Button>
      <Paste rfb={rfb} />
      <Button
        size="xs"
        variant="default"
        leftSection={<IconMaximize aria-hidden size={14} />}
        onClick={() => void fill().catch(tellProblem)}
      >
        Full screen
      </Button>
    </Group>
  );
}

/** Types a text for who would have to copy it. */
function Paste({ rfb }: { rfb: RFB | undefined }) {
  const [isOpen, setOpen] = useState(false);
  const [text, setText] = useState('');
  const [isTyping, setTyping] = useState(false);
  const type = async () => {
    if (!rfb) return;
    setTyping(true);
    await typeText(rfb, text);
    setTyping(false);
    setText('');
    setOpen(false);
    rfb.focus();
  };
  return (
    // In full screen only what is within the frame is shown.
    <Popover opened={isOpen} onChange={setOpen} position="bottom-end" width={320} trapFocus withinPortal={false}>
      <Popover.Target>
        <Button
          size="xs"
          variant="default"
          disabled={!rfb}
          leftSection={<IconClipboardText aria-hidden size={14} />}
          onClick={() => setOpen(!isOpen)}
        >
          Paste
        </Button>
      </Popover.Target>
      <Popover.Dropdown aria-label="Paste a text">
        <Stack gap="xs">
          <Textarea
            label="Text"
            description="It is typed into the CloudPod, as on a US keyboard"
            rows={4}
            maxLength={TEXT_MAX}
            data-autofocus
            value={text}
            onChange={(event) => setText(event.currentTarget.value)}
          />
          <Button size="xs" loading={isTyping} disabled={!text} onClick={() => void type()}>
            Type it
          </Button>
        </Stack>
      </Popover.Dropdown>
    </Popover>
  );
}
