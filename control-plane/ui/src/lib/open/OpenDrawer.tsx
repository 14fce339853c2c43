import { Drawer, Modal } from '@mantine/core';
import type { ReactNode } from 'react';
import { useOpen } from './useOpen';

interface Props {
  /** The search parameter that opens it. */
  name: string;
  title: ReactNode;
  size?: string | number;
  children: (value: string, close: () => void) => ReactNode;
}

/** A drawer that is open while the URL says so. */
export function OpenDrawer({ name, title, size = 'md', children }: Props) {
  const { isOpen, last, close } = useOpen(name);
  return (
    <Drawer opened={isOpen} onClose={close} title={title} size={size}>
      {last !== undefined && children(last, close)}
    </Drawer>
  );
}

/** A dialog that is open while the URL says so. What was typed is not lost by a click beside it. */
export function OpenModal({ name, title, size = 'md', children }: Props) {
  const { isOpen, last, close } = useOpen(name);
  return (
    <Modal opened={isOpen} onClose={close} title={title} size={size} closeOnClickOutside={false}>
      {last !== undefined && children(last, close)}
    </Modal>
  );
}
