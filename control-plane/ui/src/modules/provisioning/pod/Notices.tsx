import { Alert, Anchor, Button, Group, Stack, Text } from '@mantine/core';
import { IconAlertTriangle, IconLifebuoy, IconLock, IconRefreshAlert, IconTransfer } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useCan } from '@/api/me';
import { isOver, words } from '@/lib/jobs/job';
import { JobPill } from '@/lib/pills/pills';
import { Time } from '@/lib/show/Time';
import { reboot, unrescue } from '../actions/simple';
import { jobsQuery } from '../jobs/jobs';
import type { CloudPod } from '../pods';
import classes from './Notices.module.css';

const CAUSES = {
  size: 'its size',
  ssh_keys: 'its SSH keys',
  password: 'a password',
  media: 'its CD drive',
  network: 'its network cards',
};

/** What is special about a pod at present, and what to do about it. */
export function Notices({ pod }: { pod: CloudPod }) {
  const can = useCan();
  const mayChange = can('cloudpods:write') && pod.state === 'active';
  const { failure, suspension, suspended_with_tenant, restart_causes, rescue_iso, moving_to } = pod;
  return (
    <Stack gap="xs" className={classes.notices}>
      {can('provisioning:read') && <Running pod={pod} />}
      {failure && (
        <Alert color="red" icon={<IconAlertTriangle aria-hidden />} title="It failed">
          {failure}
        </Alert>
      )}
      {suspension && (
        <Alert color="yellow" icon={<IconLock aria-hidden />} title={`Suspended: ${suspension.reason}`}>
          Since <Time at={suspension.since} />
          {suspended_with_tenant ? ', with its tenant.' : '.'} It was {suspension.power_before} before, and will be
          again.
        </Alert>
      )}
      {moving_to && (
        <Alert icon={<IconTransfer aria-hidden />} title="It is being moved">
          To {moving_to.name}. It holds room on both servers until both have confirmed the move.
        </Alert>
      )}
      {rescue_iso && (
        <Alert color="yellow" icon={<IconLifebuoy aria-hidden />} title="It is being rescued">
          <Group justify="space-between">
            <Text size="sm">Started from {rescue_iso}; its disk is untouched.</Text>
            {mayChange && (
              <Button size="xs" variant="default" onClick={() => unrescue(pod)}>
                End the rescue
              </Button>
            )}
          </Group>
        </Alert>
      )}
      {restart_causes.length > 0 && (
        <Alert color="yellow" icon={<IconRefreshAlert aria-hidden />} title="A restart is needed">
          <Group justify="space-between">
            <Text size="sm">
              What was changed takes effect once it is restarted: {restart_causes.map((one) => CAUSES[one]).join(', ')}.
            </Text>
            {mayChange && pod.observed_power === 'running' && (
              <Button size="xs" variant="default" onClick={() => reboot(pod)}>
                Reboot
              </Button>
            )}
          </Group>
        </Alert>
      )}
    </Stack>
  );
}

/** The job that works on it. */
function Running({ pod }: { pod: CloudPod }) {
  const { data } = useQuery(jobsQuery({ cloudpod_id: pod.id, limit: 1 }));
  const job = data?.items[0];
  if (!job || isOver(job)) return null;
  return (
    <Group gap="xs">
      <JobPill state={job.state} />
      <Text size="sm">
        {words(job.kind)}, {job.progress} %
      </Text>
      <Anchor
        size="sm"
        renderRoot={(props) => (
          <Link
            to="/provisioning/cloudpods/$id"
            params={{ id: pod.id }}
            search={(before) => ({ ...before, job: job.id })}
            {...props}
          />
        )}
      >
        Look at its steps
      </Anchor>
    </Group>
  );
}
