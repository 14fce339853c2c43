import { Button, Code, Group, Skeleton, Stack, Table, Text, Title } from '@mantine/core';
import { IconRepeat } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { api, unwrap } from '@/api/client';
import { useCan } from '@/api/me';
import type { components } from '@/api/schema';
import { inTenant } from '@/api/scope';
import { useAction } from '@/lib/forms/useAction';
import { ProblemAlert } from '@/lib/page/ProblemAlert';
import { Facts } from '@/lib/show/Facts';
import { SmallTable } from '@/lib/show/SmallTable';
import { Time } from '@/lib/show/Time';
import { number } from '@/lib/show/units';
import { DeliveryPill } from './Deliveries';
import { deliveryQuery } from './webhooks';

/** A message: what was sent, and each try. */
export function DeliveryDetail({ webhook, id }: { webhook: string; id: string }) {
  const query = useQuery(deliveryQuery(webhook, id));
  const can = useCan();
  const again = useAction({
    run: () => {
      const params = { path: { id: webhook, delivery: id }, query: inTenant() };
      return unwrap(api.POST('/api/admin/webhooks/{id}/deliveries/{delivery}/redeliver', { params }));
    },
    changes: ['webhook'],
  });
  if (query.isPending) return <Skeleton h={320} />;
  if (!query.data) return <ProblemAlert problem={query.error} retry={() => void query.refetch()} />;
  const { delivery, body, attempts } = query.data;
  const { event, state, message_id, created_at, next_at, finished_at } = delivery;
  return (
    <Stack gap="md">
      <Group justify="space-between">
        <Group gap="xs">
          <Title order={3} fz="lg">
            {event}
          </Title>
          <DeliveryPill state={state} />
        </Group>
        {can('webhooks:write') && finished_at && (
          <Button
            size="xs"
            variant="default"
            leftSection={<IconRepeat aria-hidden size={14} />}
            loading={again.isPending}
            onClick={() => again.mutate()}
          >
            Send it again
          </Button>
        )}
      </Group>
      <ProblemAlert problem={again.problem} />
      <Facts
        facts={[
          { title: 'Made', value: <Time at={created_at} /> },
          finished_at
            ? { title: 'Ended', value: <Time at={finished_at} /> }
            : { title: 'Next try', value: next_at ? <Time at={next_at} /> : '–' },
          { title: 'webhook-id', value: <Code>{message_id}</Code> },
        ]}
      />
      <Stack gap="xs">
        <Title order={3}>Tries</Title>
        {attempts.length === 0 ? (
          <Text size="sm" c="dimmed">
            It was not tried yet.
          </Text>
        ) : (
          <Attempts attempts={attempts} />
        )}
      </Stack>
      <Stack gap="xs">
        <Title order={3}>What was sent</Title>
        <Code block style={{ whiteSpace: 'pre-wrap', overflowWrap: 'anywhere' }}>
          {readable(body)}
        </Code>
      </Stack>
    </Stack>
  );
}

function Attempts({ attempts }: { attempts: components['schemas']['WebhookAttempt'][] }) {
  return (
    <SmallTable label="Tries" heads={['Try', 'When', 'Took', 'Answer']}>
      {attempts.map(({ attempt, at, took_ms, status, error, answer }) => (
        <Table.Tr key={attempt}>
          <Table.Td>{attempt}</Table.Td>
          <Table.Td>
            <Time at={at} />
          </Table.Td>
          <Table.Td style={{ whiteSpace: 'nowrap' }}>{number(took_ms)} ms</Table.Td>
          <Table.Td>
            <Text size="sm">
              {status ?? 'None'}
              {error && (
                <Text span inherit c="red">
                  : {error}
                </Text>
              )}
            </Text>
            {answer && (
              <Text size="xs" c="dimmed" ff="monospace" lineClamp={4} style={{ overflowWrap: 'anywhere' }}>
                {answer}
              </Text>
            )}
          </Table.Td>
        </Table.Tr>
      ))}
    </SmallTable>
  );
}

/** What was sent is one line of JSON. */
function readable(body: string): string {
  try {
    return JSON.stringify(JSON.parse(body), null, 2);
  } catch {
    return body;
  }
}
