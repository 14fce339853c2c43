import { Button, Group, Skeleton, Stack, Text } from '@mantine/core';
import { modals } from '@mantine/modals';
import { useQuery } from '@tanstack/react-query';
import { api, unwrap } from '@/api/client';
import { key } from '@/api/keys';
import { useCan } from '@/api/me';
import type { components } from '@/api/schema';
import { confirm } from '@/lib/confirm/confirm';
import { ProblemAlert } from '@/lib/page/ProblemAlert';
import { Section } from '@/lib/page/Section';
import { Time } from '@/lib/show/Time';
import { TokenForm } from './TokenForm';

export function TokensSection() {
  const can = useCan();
  const query = useQuery({
    queryKey: key('token', 'own'),
    queryFn: ({ signal }) => unwrap(api.GET('/api/auth/tokens', { params: { query: { limit: 200 } }, signal })),
  });
  const make = () => {
    const id = modals.open({
      title: 'Make an API token',
      closeOnClickOutside: false,
      children: <TokenForm close={() => modals.close(id)} />,
    });
  };
  return (
    <Section
      title="API tokens"
      about="For programs that act in your name; never more than you may do yourself."
      actions={can('tokens:write') && <Button onClick={make}>Make a token</Button>}
    >
      {query.isPending && <Skeleton h={60} />}
      <ProblemAlert problem={query.error} retry={() => void query.refetch()} />
      {query.data?.items.map((token) => (
        <Row key={token.id} token={token} mayRevoke={can('tokens:write')} />
      ))}
      {query.data?.items.length === 0 && <Text size="sm">You have none.</Text>}
    </Section>
  );
}

function Row({ token, mayRevoke }: { token: components['schemas']['ApiToken']; mayRevoke: boolean }) {
  const { id, name, permissions, expires_at, last_used_at } = token;
  const revoke = () =>
    confirm({
      title: `Revoke ${name}`,
      children: 'Programs that use it are refused from then on, and so are tokens that were made with it.',
      label: 'Revoke',
      isDanger: true,
      changes: ['token'],
      run: () => unwrap(api.DELETE('/api/auth/tokens/{id}', { params: { path: { id } } })),
    });
  return (
    <Group justify="space-between" wrap="nowrap" align="flex-start">
      <Stack gap={0} miw={0}>
        <Text size="sm" fw={600}>
          {name}
        </Text>
        <Text size="xs" c="dimmed" lineClamp={2}>
          {permissions.join(', ')}
        </Text>
        <Text size="xs" c="dimmed" component="div">
          Expires <Time at={expires_at} />,{' '}
          {last_used_at ? (
            <>
              last used <Time at={last_used_at} />
            </>
          ) : (
            'never used'
          )}
        </Text>
      </Stack>
      {mayRevoke && (
        <Button size="xs" variant="default" onClick={revoke} aria-label={`Revoke ${name}`}>
          Revoke
        </Button>
      )}
    </Group>
  );
}
