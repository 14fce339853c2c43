import { Button, Group, Skeleton, Stack, Text } from '@mantine/core';
import { IconDeviceDesktop } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { api, unwrap } from '@/api/client';
import { key } from '@/api/keys';
import type { components } from '@/api/schema';
import { useAction } from '@/lib/forms/useAction';
import { ProblemAlert } from '@/lib/page/ProblemAlert';
import { Section } from '@/lib/page/Section';
import { Pill } from '@/lib/pills/Pill';
import { Time } from '@/lib/show/Time';

/** Sign-ins are events for staff alone. */
const SLOWLY_MS = 30_000;

export function SessionsSection() {
  const query = useQuery({
    queryKey: key('session', 'list'),
    queryFn: ({ signal }) => unwrap(api.GET('/api/auth/sessions', { params: { query: { limit: 200 } }, signal })),
    refetchInterval: SLOWLY_MS,
  });
  return (
    <Section title="Sign-ins" about="Where you are signed in. End what you do not know.">
      {query.isPending && <Skeleton h={60} />}
      <ProblemAlert problem={query.error} retry={() => void query.refetch()} />
      {query.data?.items.map((session) => (
        <SessionRow
          key={session.id}
          session={session}
          run={() => unwrap(api.DELETE('/api/auth/sessions/{id}', { params: { path: { id: session.id } } }))}
        />
      ))}
    </Section>
  );
}

interface Props {
  session: components['schemas']['Session'];
  /** Ends it. */
  run: () => Promise<unknown>;
}

/** One sign-in, of oneself or of somebody else. */
export function SessionRow({ session: { address, user_agent, current, last_used_at, created_at }, run }: Props) {
  const end = useAction({
    run,
    changes: ['session'],
    tell: true,
  });
  return (
    <Group justify="space-between" wrap="nowrap" align="flex-start">
      <Stack gap={0} miw={0}>
        <Group gap="xs">
          <Text size="sm" fw={600}>
            {address}
          </Text>
          {current && (
            <Pill tone="good" icon={IconDeviceDesktop}>
              This one
            </Pill>
          )}
        </Group>
        <Text size="xs" c="dimmed" lineClamp={2}>
          {user_agent || 'Unknown program'}
        </Text>
        <Text size="xs" c="dimmed" component="div">
          Signed in <Time at={created_at} />, last seen <Time at={last_used_at} />
        </Text>
      </Stack>
      {!current && (
        <Button
          size="xs"
          variant="default"
          loading={end.isPending}
          onClick={() => end.mutate()}
          aria-label={`End the sign-in from ${address}`}
        >
          End
        </Button>
      )}
    </Group>
  );
}
