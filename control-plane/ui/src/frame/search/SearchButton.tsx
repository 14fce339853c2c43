import { ActionIcon, Button, Kbd } from '@mantine/core';
import { useHotkeys } from '@mantine/hooks';
import { IconSearch } from '@tabler/icons-react';
import { lazy, Suspense, useEffect, useEffectEvent, useState } from 'react';
import { useKey } from '../useKey';

const load = () => import('./Search');
const Search = lazy(load);
/** By then the page is there, and what it has read. */
const LOAD_AFTER_MS = 3000;

/** Opens the search, which is loaded after the page. */
export function SearchButton() {
  const [open, setOpen] = useState(false);
  const [wasOpen, setWasOpen] = useState(false);
  const [isReady, setReady] = useState(false);
  const [query, setQuery] = useState('');
  const show = () => {
    setOpen(true);
    setWasOpen(true);
  };
  const close = () => {
    setOpen(false);
    setReady(false);
  };
  useEffect(() => {
    const timer = setTimeout(() => void load().catch(() => undefined), LOAD_AFTER_MS);
    return () => clearTimeout(timer);
  }, []);
  useKeysKept(open && !isReady, setQuery, close);
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
          <Search open={open} onClose={close} query={query} setQuery={setQuery} ready={() => setReady(true)} />
        </Suspense>
      )}
    </>
  );
}

/** What is typed before the field is there goes into it all the same, and is no shortcut. */
function useKeysKept(isOpening: boolean, type: (change: (typed: string) => string) => void, close: () => void): void {
  const keep = useEffectEvent((event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    if (event.key === 'Escape') close();
    else if (event.key === 'Backspace') type((typed) => typed.slice(0, -1));
    else if (event.key.length === 1) type((typed) => typed + event.key);
  });
  useEffect(() => {
    if (!isOpening) return;
    const listener = (event: KeyboardEvent) => keep(event);
    document.addEventListener('keydown', listener, { capture: true });
    return () => document.removeEventListener('keydown', listener, { capture: true });
  }, [isOpening]);
}
