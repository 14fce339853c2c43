import { Skeleton, Stack, Text, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { api, unwrap } from '@/api/client';
import { key } from '@/api/keys';
import { ProblemAlert } from '@/lib/page/ProblemAlert';
import { Time } from '@/lib/show/Time';
import { SessionRow } from '../account/SessionsSection';
import { tokensQuery, type User } from './users';

/** So many are shown at most: one page of the API. */
const SHOWN_MAX = 200;

/** Where somebody is signed in, and by which tokens programs act in their name. */
export function SignIns({ user: { id, tenant_id } }: { user: User }) {
  const query = { tenant_id };
  const sessions = useQuery({
    queryKey: key('session', 'of', id, query),
    queryFn: ({ signal }) => {
      const params = { path: { id }, query: { ...query, limit: SHOWN_MAX } };
      return unwrap(api.GET('/api/admin/users/{id}/sessions', { params, signal }));
    },
  });
  const end = (session_id: string) =>
    unwrap(api.DELETE('/api/admin/users/{id}/sessions/{session_id}', { params: { path: { id, session_id }, query } }));
  return (
    <Stack gap="xs">
      <Title order={3}>Sign-ins</Title>
      {sessions.isPending && <Skeleton h={48} />}
      <ProblemAlert problem={sessions.error} />
      {sessions.data?.items.length === 0 && <Text size="sm">They are signed in nowhere.</Text>}
      {sessions.data?.items.map((session) => (
        <SessionRow key={session.id} session={session} run={() => end(session.id)} />
      ))}
    </Stack>
  );
}

export function TokensOf({ user: { id, tenant_id } }: { user: User }) {
  const { data, error, isPending } = useQuery(tokensQuery({ user_id: id, tenant_id, limit: SHOWN_MAX }));
  return (
    <Stack gap="xs">
      <Title order={3}>API tokens</Title>
      {isPending && <Skeleton h={24} />}
      <ProblemAlert problem={error} />
      {data?.items.length === 0 && <Text size="sm">They have none.</Text>}
      {data?.items.map((token) => (
        <Text key={token.id} size="sm" component="div">
          <b>{token.name}</b>, expires <Time at={token.expires_at} />
        </Text>
      ))}
    </Stack>
  );
}
