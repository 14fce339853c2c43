import { useNavigate, useSearch } from '@tanstack/react-router';
import { useState } from 'react';

/** What is open beside a page: a search parameter, so that it has a link. The list behind it stays at its page. */
export function useOpen(name: string) {
  const search: Record<string, unknown> = useSearch({ strict: false });
  const navigate = useNavigate();
  const value = search[name] === undefined ? undefined : String(search[name]);
  // While it goes away it still shows what it showed.
  const [last, setLast] = useState(value);
  if (value !== undefined && value !== last) setLast(value);
  const open = (next: string | true | undefined) =>
    void navigate({ to: '.', search: (before: object) => ({ ...before, [name]: next }) });
  return { isOpen: value !== undefined, last, open, close: () => open(undefined) };
}
