import { Skeleton, Stack } from '@mantine/core';

/** The place of a page that is not there yet. */
export function PageSkeleton() {
  return (
    <Stack gap="md" role="status" aria-busy="true" aria-label="Loading">
      <Skeleton h={28} w={180} />
      <Skeleton h={36} />
      <Skeleton h={320} />
    </Stack>
  );
}
