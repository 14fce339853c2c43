import { useNavigate, useSearch } from '@tanstack/react-router';

type Value = string | number | boolean | undefined;

/** Reads and changes what a list has in the URL. Another filter or sort begins at the first page again. */
export function useListSearch() {
  const search: Record<string, Value> = useSearch({ strict: false });
  const navigate = useNavigate();
  const change = (changed: Record<string, Value>, options?: { replace?: boolean }) => {
    // Which parameters there are is the route's to say, and it drops what it does not know.
    const next = (before: object) => ({ ...before, page_token: undefined, ...changed });
    void navigate({ to: '.', search: next, replace: options?.replace ?? false });
  };
  return { search, change };
}
