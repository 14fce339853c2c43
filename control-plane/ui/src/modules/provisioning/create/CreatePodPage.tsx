import { Alert, Anchor, Button, Group, Skeleton, Stack } from '@mantine/core';
import { IconAlertTriangle, IconPlus } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useCan } from '@/api/me';
import { EmptyState } from '@/lib/page/EmptyState';
import { Page } from '@/lib/page/Page';
import { ProblemAlert } from '@/lib/page/ProblemAlert';
import { Section } from '@/lib/page/Section';
import { JobDetail } from '../jobs/JobDetail';
import { PodStates } from '../list/podColumns';
import { isGone, podQuery } from '../pods';
import { createPodRoute } from '../routes';
import { CreateForm } from './CreateForm';

export function CreatePodPage() {
  const { job, cloudpod, like } = createPodRoute.useSearch();
  const can = useCan();
  if (!can('cloudpods:write')) {
    return (
      <Page title="Create a CloudPod">
        <EmptyState title="You may not create CloudPods here">
          Ask an owner or an administrator of the tenant, or{' '}
          <Anchor renderRoot={(props) => <Link to="/provisioning/cloudpods" {...props} />}>see those that exist</Anchor>
          .
        </EmptyState>
      </Page>
    );
  }
  return (
    <Page title="Create a CloudPod">
      {job && cloudpod ? <Making job={job} cloudpod={cloudpod} /> : like ? <Again id={like} /> : <CreateForm />}
    </Page>
  );
}

/** The form, filled with what was asked for once. */
function Again({ id }: { id: string }) {
  const query = useQuery(podQuery(id));
  if (query.isPending) return <Skeleton h={320} maw={860} />;
  const pod = query.data;
  if (!pod) return <ProblemAlert problem={query.error} retry={() => void query.refetch()} />;
  return (
    <Stack gap="md">
      {!isGone(pod) && (
        <Alert color="yellow" icon={<IconAlertTriangle aria-hidden />} title={`${pod.name} is still there`} maw={860}>
          Its name is free once it is deleted:{' '}
          <Anchor
            size="sm"
            renderRoot={(props) => <Link to="/provisioning/cloudpods/$id" params={{ id: pod.id }} {...props} />}
          >
            open it
          </Anchor>{' '}
          to do so, or give the new one another name.
        </Alert>
      )}
      <CreateForm key={pod.id} like={pod} />
    </Stack>
  );
}

const STATES: Record<string, string> = { active: 'is ready', failed: 'could not be made' };

/** How the making of it goes. */
function Making({ job, cloudpod }: { job: string; cloudpod: string }) {
  const { data } = useQuery(podQuery(cloudpod));
  const can = useCan();
  return (
    <Stack gap="md" maw={760}>
      <Section
        title={data ? `${data.name} ${STATES[data.state] ?? 'is being made'}` : 'It is being made'}
        beside={data && <PodStates pod={data} />}
        about="It goes on without this page."
      >
        {can('provisioning:read') && <JobDetail id={job} brief />}
        <Group gap="xs">
          <Button
            renderRoot={(props) => <Link to="/provisioning/cloudpods/$id" params={{ id: cloudpod }} {...props} />}
          >
            Open {data?.name ?? 'it'}
          </Button>
          <Button
            variant="default"
            leftSection={<IconPlus aria-hidden size={16} />}
            renderRoot={(props) => <Link to="/provisioning/cloudpods/new" search={{}} {...props} />}
          >
            Create another one
          </Button>
        </Group>
      </Section>
    </Stack>
  );
}
