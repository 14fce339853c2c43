import { Alert, Anchor, Group, Progress, Skeleton, Stack, Text } from '@mantine/core';
import { IconAlertTriangle, IconHourglass } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useCan, useScope } from '@/api/me';
import { isOver, jobQuery } from '@/lib/jobs/job';
import { ProblemAlert } from '@/lib/page/ProblemAlert';
import { JobPill } from '@/lib/pills/pills';
import { duration } from '@/lib/show/duration';
import { type Fact, Facts } from '@/lib/show/Facts';
import { Time } from '@/lib/show/Time';
import { Actor } from '@/modules/users/Actor';
import { podQuery } from '../pods';
import { shortId } from '../servers';
import { JobActions } from './JobActions';
import { JobLog } from './JobLog';
import { JobSteps } from './JobSteps';
import type { Job } from './jobs';

/** One job, as it goes: its steps, what it waits for, its log. */
export function JobDetail({ id, brief }: { id: string; brief?: boolean }) {
  const query = useQuery(jobQuery(id));
  if (query.isPending) return <Skeleton h={220} />;
  if (!query.data) return <ProblemAlert problem={query.error} retry={() => void query.refetch()} />;
  const job = query.data;
  const { state, progress, error, waits_for, cancel_requested } = job;
  const color = state === 'succeeded' ? 'green' : ['failed', 'stuck'].includes(state) ? 'red' : 'brand';
  return (
    <Stack gap="sm">
      <Group justify="space-between" gap="xs">
        <Group gap="xs" role="status">
          <JobPill state={state} />
          <Text size="sm" c="dimmed">
            {progress} %{cancel_requested && !isOver(job) && ', being cancelled'}
          </Text>
        </Group>
        <Group gap="xs">
          <JobActions job={job} />
        </Group>
      </Group>
      <Progress value={progress} color={color} size="sm" animated={!isOver(job)} aria-label={`${progress} % done`} />
      {waits_for && (
        <Alert color="yellow" icon={<IconHourglass aria-hidden />} title="It waits">
          {waits_for.detail}
        </Alert>
      )}
      {error && (
        <Alert
          color="red"
          icon={<IconAlertTriangle aria-hidden />}
          title={state === 'failed' ? 'It failed' : 'Its last error'}
        >
          <Text size="sm" style={{ overflowWrap: 'anywhere' }}>
            {error.detail}
          </Text>
          <Text size="xs" c="dimmed" ff="monospace">
            {error.code}
          </Text>
          {state === 'failed' && <Again job={job} />}
        </Alert>
      )}
      {!brief && <JobFacts job={job} />}
      <JobSteps job={job} />
      <JobLog job={job} />
    </Stack>
  );
}

/** A job that is over stays over: what it was to do is asked for again, where it was asked for. */
function Again({ job: { kind, cloudpod_id } }: { job: Job }) {
  const can = useCan();
  if (!cloudpod_id || !can('cloudpods:write')) return null;
  return (
    <Text size="sm" mt={6}>
      <Anchor
        size="sm"
        renderRoot={(props) =>
          kind === 'provision' ? (
            <Link to="/provisioning/cloudpods/new" search={{ like: cloudpod_id }} {...props} />
          ) : (
            <Link to="/provisioning/cloudpods/$id" params={{ id: cloudpod_id }} {...props} />
          )
        }
      >
        Ask for it again
      </Anchor>{' '}
      once its cause is gone.
    </Text>
  );
}

function JobFacts({ job }: { job: Job }) {
  const {
    id,
    cloudpod_id,
    server_name,
    created_by,
    created_by_name,
    created_at,
    started_at,
    finished_at,
    attempt,
    attempts_max,
  } = job;
  const can = useCan();
  const { isPlatform } = useScope();
  const facts: (Fact | false)[] = [
    { title: 'CloudPod', value: cloudpod_id ? <PodLink id={cloudpod_id} /> : '–' },
    isPlatform && { title: 'Tenant', value: job.tenant_name ?? 'Platform' },
    can('servers:read') && { title: 'Server', value: server_name ?? '–' },
    { title: 'Asked for', value: <Time at={created_at} /> },
    { title: 'By', value: <Actor actor={created_by} name={created_by_name} /> },
    { title: 'Took', value: started_at && finished_at ? duration(started_at, finished_at) : '–' },
    { title: 'Attempt', value: `${attempt} of ${attempts_max}` },
    !isOver(job) && { title: 'Not before', value: <Time at={job.run_at} /> },
    { title: 'Job', value: id },
  ];
  return <Facts facts={facts} />;
}

function PodLink({ id }: { id: string }) {
  const { data } = useQuery(podQuery(id));
  return (
    <Anchor size="sm" renderRoot={(props) => <Link to="/provisioning/cloudpods/$id" params={{ id }} {...props} />}>
      {data?.name ?? shortId(id)}
    </Anchor>
  );
}
