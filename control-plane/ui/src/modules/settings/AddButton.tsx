import { Button } from '@mantine/core';
import { IconPlus } from '@tabler/icons-react';
import { useOpen } from '@/lib/open/useOpen';

/** Opens the page's drawer to add one. */
export function AddButton({ label }: { label: string }) {
  const { open } = useOpen('add');
  return (
    <Button leftSection={<IconPlus aria-hidden size={16} />} onClick={() => open(true)}>
      {label}
    </Button>
  );
}
