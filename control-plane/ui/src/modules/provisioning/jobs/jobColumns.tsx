import { Anchor, Group, Progress, Stack, Text } from '@mantine/core';
import { IconHourglass } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import { isOver, words } from '@/lib/jobs/job';
import { type Column, rowLink } from '@/lib/list/List';
import { Pill } from '@/lib/pills/Pill';
import { JobPill } from '@/lib/pills/pills';
import { duration } from '@/lib/show/duration';
import { Time } from '@/lib/show/Time';
import { shortId } from '../servers';
import type { Job } from './jobs';

/** Opens a job's detail over the page that is shown. */
function JobLink({ job }: { job: Job }) {
  return (
    <Link to="." search={(before: object) => ({ ...before, job: job.id })} {...rowLink}>
      {words(job.kind)}
    </Link>
  );
}

export function jobColumns({
  withServers,
  withTenants = false,
  ofOnePod = false,
}: {
  withServers: boolean;
  withTenants?: boolean;
  ofOnePod?: boolean;
}): Column<Job>[] {
  const columns: (Column<Job> | false | undefined)[] = [
    {
      key: 'kind',
      title: 'Job',
      show: (job) => (
        <Stack gap={0}>
          <JobLink job={job} />
          <Text size="xs" c="dimmed" ff="monospace">
            {shortId(job.id)}
          </Text>
        </Stack>
      ),
    },
    { key: 'state', title: 'State', show: (job) => <States job={job} /> },
    !ofOnePod && {
      key: 'cloudpod',
      title: 'CloudPod',
      show: ({ cloudpod_id: id, cloudpod_name }) =>
        id ? (
          <Anchor
            size="sm"
            underline="hover"
            renderRoot={(props) => <Link to="/provisioning/cloudpods/$id" params={{ id }} {...props} />}
          >
            {cloudpod_name ?? shortId(id)}
          </Anchor>
        ) : (
          '–'
        ),
    },
    withTenants && {
      key: 'tenant',
      title: 'Tenant',
      show: ({ tenant_name }) => <Text size="sm">{tenant_name ?? 'Platform'}</Text>,
    },
    withServers && {
      key: 'server',
      title: 'Server',
      show: ({ server_name }) => <Text size="sm">{server_name ?? '–'}</Text>,
    },
    {
      key: 'attempt',
      title: 'Attempt',
      from: 'lg',
      width: 90,
      show: ({ attempt, attempts_max }) => `${attempt} / ${attempts_max}`,
    },
    {
      key: 'took',
      title: 'Took',
      from: 'md',
      width: 110,
      show: ({ started_at, finished_at }) => (started_at && finished_at ? duration(started_at, finished_at) : '–'),
    },
    {
      key: 'created_at',
      title: 'Asked for',
      sort: 'created_at',
      width: 130,
      show: ({ created_at }) => (
        <Text size="sm" component="span">
          <Time at={created_at} />
        </Text>
      ),
    },
  ];
  return columns.filter((column): column is Column<Job> => Boolean(column));
}

function States({ job }: { job: Job }) {
  const { state, progress, waits_for, error } = job;
  return (
    <Group gap={6}>
      <JobPill state={state} about={error?.detail} />
      {waits_for && !isOver(job) && (
        <Pill tone="warn" icon={IconHourglass} about={waits_for.detail}>
          Waits for its server
        </Pill>
      )}
      {!isOver(job) && (
        <Progress value={progress} size="sm" w={70} aria-label={`${progress} % of ${words(job.kind)}`} />
      )}
    </Group>
  );
}
