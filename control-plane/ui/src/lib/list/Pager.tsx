import { Button, Group, Select, Text } from '@mantine/core';
import { IconChevronLeft, IconChevronRight, IconChevronsLeft } from '@tabler/icons-react';
import { useRouter } from '@tanstack/react-router';
import { useRef } from 'react';
import { useListSearch } from './useListSearch';

const LIMITS = ['25', '50', '100', '200'];
const LIMIT_DEFAULT = '50';

interface Props {
  next: string | undefined;
  /** On this page. */
  count: number;
}

/** Goes through a list page by page. The API's tokens lead forward; back is where one came from. */
export function Pager({ next, count }: Props) {
  const { search, change } = useListSearch();
  const router = useRouter();
  const came = useRef(new Set<unknown>());
  const token = search.page_token;
  if (!token && !next && count <= Number(LIMITS[0])) return null;
  const forward = () => {
    came.current.add(next);
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
        {token && came.current.has(token) && (
          <Button
            size="xs"
            variant="default"
            leftSection={<IconChevronLeft aria-hidden size={14} />}
            onClick={() => router.history.back()}
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
