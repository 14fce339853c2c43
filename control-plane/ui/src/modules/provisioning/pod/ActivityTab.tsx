import { Anchor, Skeleton, Stack, Table, Text } from '@mantine/core';
import { IconListCheck } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { api, unwrap } from '@/api/client';
import { key } from '@/api/keys';
import { useCan } from '@/api/me';
import { inTenant } from '@/api/scope';
import { List } from '@/lib/list/List';
import { EmptyState } from '@/lib/page/EmptyState';
import { ProblemAlert } from '@/lib/page/ProblemAlert';
import { Section } from '@/lib/page/Section';
import { Time } from '@/lib/show/Time';
import { Actor } from '@/modules/users/Actor';
import { jobColumns } from '../jobs/jobColumns';
import { jobsQuery } from '../jobs/jobs';
import type { CloudPod } from '../pods';
import { cloudpodRoute } from '../routes';

export function ActivityTab({ pod }: { pod: CloudPod }) {
  const can = useCan();
  return (
    <>
      {can('provisioning:read') && <Jobs pod={pod} />}
      {can('audit:read') && <Records pod={pod} />}
    </>
  );
}

function Jobs({ pod }: { pod: CloudPod }) {
  const can = useCan();
  const { limit, page_token } = cloudpodRoute.useSearch();
  const query = useQuery(jobsQuery({ cloudpod_id: pod.id, limit: limit ?? 25, page_token }));
  return (
    <Section title="Jobs">
      <List
        label="Jobs"
        query={query}
        rowKey={({ id }) => id}
        columns={jobColumns({ withServers: can('servers:read'), ofOnePod: true })}
        empty={<EmptyState icon={IconListCheck} title="No jobs" />}
      />
    </Section>
  );
}

/** The newest; the module Audit shows all. */
const RECORDS = 25;

function Records({ pod }: { pod: CloudPod }) {
  const query = { ...inTenant(), target_kind: 'cloudpod', target_id: pod.id, limit: RECORDS };
  const { data, error, isPending, refetch } = useQuery({
    // What is done to a pod is written down as it changes.
    queryKey: key('cloudpod', 'audit', query),
    queryFn: ({ signal }) => unwrap(api.GET('/api/admin/audit', { params: { query }, signal })),
  });
  return (
    <Section
      title="What was done to it"
      actions={
        <Anchor
          size="sm"
          renderRoot={(props) => (
            <Link to="/audit" search={{ target_kind: 'cloudpod', target_id: pod.id }} {...props} />
          )}
        >
          All of it
        </Anchor>
      }
    >
      {isPending && <Skeleton h={80} />}
      <ProblemAlert problem={error} retry={() => void refetch()} />
      {data && (
        <Table verticalSpacing={5} aria-label="What was done to it">
          <Table.Tbody>
            {data.items.map(({ id, action, actor, actor_name, created_at }) => (
              <Table.Tr key={id}>
                <Table.Td>
                  <Stack gap={0} style={{ overflowWrap: 'anywhere' }}>
                    <Text size="sm">{action}</Text>
                    <Actor actor={actor} name={actor_name} />
                  </Stack>
                </Table.Td>
                <Table.Td ta="right">
                  <Text size="sm" component="span">
                    <Time at={created_at} />
                  </Text>
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      )}
    </Section>
  );
}
