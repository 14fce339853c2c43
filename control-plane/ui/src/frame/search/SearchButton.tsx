import { ActionIcon, Button, Kbd } from '@mantine/core';
import { useHotkeys } from '@mantine/hooks';
import { IconSearch } from '@tabler/icons-react';
import { lazy, Suspense, useState } from 'react';
import { useKey } from '../useKey';

const Search = lazy(() => import('./Search'));

/** Opens the search, which is loaded when it is first asked for. */
export function SearchButton() {
  const [open, setOpen] = useState(false);
  const [wasOpen, setWasOpen] = useState(false);
  const show = () => {
    setOpen(true);
    setWasOpen(true);
  };
  useHotkeys([['mod+K', show]]);
  useKey((event) => {
    if (event.key !== '/') return;
    event.preventDefault();
    show();
  });
  return (
    <>
      <Button
        variant="default"
        size="xs"
        visibleFrom="sm"
        w={300}
        justify="space-between"
        fw={400}
        c="dimmed"
        leftSection={<IconSearch aria-hidden size={15} />}
        rightSection={<Kbd size="xs">/</Kbd>}
        onClick={show}
      >
        Search servers, pods, jobs, people
      </Button>
      <ActionIcon variant="subtle" color="gray" size="lg" hiddenFrom="sm" aria-label="Search" onClick={show}>
        <IconSearch aria-hidden size={20} stroke={1.6} />
      </ActionIcon>
      {wasOpen && (
        <Suspense fallback={null}>
          <Search open={open} onClose={() => setOpen(false)} />
        </Suspense>
      )}
    </>
  );
}
