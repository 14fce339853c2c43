import { Button, Group, Select, Text } from '@mantine/core';
import { IconChevronLeft, IconChevronRight, IconChevronsLeft } from '@tabler/icons-react';
import { useLocation } from '@tanstack/react-router';
import { useListSearch } from './useListSearch';

const LIMITS = ['25', '50', '100', '200'];
const LIMIT_DEFAULT = '50';

interface Props {
  next: string | undefined;
  /** On this page. */
  count: number;
}

/** The tokens of the pages that led to this one: the API's lead forward only. They outlive a reload, and dialogs that are opened. */
function usePagesBefore(list: string, token: string | undefined) {
  const place = `mpanel.pages ${list}`;
  const kept = JSON.parse(sessionStorage.getItem(place) ?? '[]') as (string | null)[];
  const at = token ? kept.indexOf(token) : -1;
  const before = at > 0 ? kept[at - 1] : undefined;
  return {
    /** Where Previous leads; null: nobody knows, as where a link led to this page. */
    previous: at >= 0 && before !== null ? { page_token: before } : null,
    goOn: (next: string) => {
      const here = !token || at >= 0 ? kept.slice(0, at + 1) : [null, token];
      sessionStorage.setItem(place, JSON.stringify([...here, next]));
    },
  };
}

/** Goes through a list page by page. */
export function Pager({ next, count }: Props) {
  const { search, change } = useListSearch();
  const { pathname } = useLocation();
  const token = search.page_token === undefined ? undefined : String(search.page_token);
  const { previous, goOn } = usePagesBefore(pathname, token);
  if (!token && !next && count <= Number(LIMITS[0])) return null;
  const forward = () => {
    if (next) goOn(next);
    change({ page_token: next });
  };
  return (
    <Group justify="space-between" gap="xs">
      <Group gap={6}>
        <Text size="xs" c="dimmed" id="rows-per-page">
          Rows
        </Text>
        <Select
          size="xs"
          w={76}
          data={LIMITS}
          allowDeselect={false}
          aria-labelledby="rows-per-page"
          value={String(search.limit ?? LIMIT_DEFAULT)}
          onChange={(limit) => change({ limit: limit === LIMIT_DEFAULT ? undefined : Number(limit) })}
        />
      </Group>
      <Group gap={6}>
        {token && (
          <Button
            size="xs"
            variant="default"
            leftSection={<IconChevronsLeft aria-hidden size={14} />}
            onClick={() => change({})}
          >
            First
          </Button>
        )}
        {previous && (
          <Button
            size="xs"
            variant="default"
            leftSection={<IconChevronLeft aria-hidden size={14} />}
            onClick={() => change(previous)}
          >
            Previous
          </Button>
        )}
        <Button
          size="xs"
          variant="default"
          disabled={!next}
          rightSection={<IconChevronRight aria-hidden size={14} />}
          onClick={forward}
        >
          Next
        </Button>
      </Group>
    </Group>
  );
}
