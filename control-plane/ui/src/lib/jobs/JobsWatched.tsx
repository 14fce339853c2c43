import { Anchor, CloseButton, Group, Paper, Portal, Progress, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useEffect } from 'react';
import { useCan } from '@/api/me';
import { JobPill } from '../pills/pills';
import classes from './JobsWatched.module.css';
import { isOver, jobQuery, words } from './job';
import { type Job, unwatchJob, useWatchedJobs } from './watched';

/** A job that has gone well is put away by itself; one that has not stays. */
const GONE_WELL_MS = 6000;

/** The progress of the jobs that were begun here, in a corner of every page. */
export function JobsWatched() {
  const jobs = useWatchedJobs();
  const can = useCan();
  if (jobs.length === 0 || !can('provisioning:read')) return null;
  return (
    <Portal>
      <Stack component="section" gap="xs" className={classes.corner} aria-label="Jobs begun here">
        {jobs.map((job) => (
          <Watched key={job.id} begun={job} />
        ))}
      </Stack>
    </Portal>
  );
}

function Watched({ begun }: { begun: Job }) {
  const { data: job = begun, error } = useQuery({ ...jobQuery(begun.id), initialData: begun });
  const { id, state } = job;
  useEffect(() => {
    if (state !== 'succeeded') return undefined;
    const timer = setTimeout(() => unwatchJob(id), GONE_WELL_MS);
    return () => clearTimeout(timer);
  }, [id, state]);
  const note = error?.message ?? job.error?.detail ?? job.waits_for?.detail ?? (job.step ? words(job.step) : '');
  const color = state === 'succeeded' ? 'green' : ['failed', 'stuck'].includes(state) ? 'red' : 'brand';
  return (
    <Paper withBorder shadow="md" p="sm">
      <Group justify="space-between" wrap="nowrap" gap="xs">
        <Group gap="xs" wrap="nowrap" role="status">
          <Text size="sm" fw={600}>
            {words(job.kind)}
          </Text>
          <JobPill state={state} />
        </Group>
        <CloseButton size="sm" aria-label={`Put away: ${words(job.kind)}`} onClick={() => unwatchJob(id)} />
      </Group>
      <Progress
        value={job.progress}
        color={color}
        size="sm"
        my={6}
        animated={!isOver(job)}
        aria-label={`${job.progress} % of ${words(job.kind)}`}
      />
      <Group justify="space-between" wrap="nowrap" gap="xs">
        <Text size="xs" c="dimmed" lineClamp={2}>
          {note}
        </Text>
        <Anchor size="xs" renderRoot={(props) => <Link to="/provisioning/jobs" search={{ job: id }} {...props} />}>
          Details
        </Anchor>
      </Group>
    </Paper>
  );
}
