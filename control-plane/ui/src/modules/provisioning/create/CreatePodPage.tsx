import { Anchor, Button, Group, Stack } from '@mantine/core';
import { IconPlus } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useCan } from '@/api/me';
import { EmptyState } from '@/lib/page/EmptyState';
import { Page } from '@/lib/page/Page';
import { Section } from '@/lib/page/Section';
import { JobDetail } from '../jobs/JobDetail';
import { PodStates } from '../list/podColumns';
import { podQuery } from '../pods';
import { createPodRoute } from '../routes';
import { CreateForm } from './CreateForm';

export function CreatePodPage() {
  const { job, cloudpod } = createPodRoute.useSearch();
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
    <Page title="Create a CloudPod">{job && cloudpod ? <Making job={job} cloudpod={cloudpod} /> : <CreateForm />}</Page>
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
