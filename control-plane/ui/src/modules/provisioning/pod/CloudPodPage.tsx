import { Skeleton, Stack, Tabs } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useCan, useScope } from '@/api/me';
import { Page } from '@/lib/page/Page';
import { ProblemAlert } from '@/lib/page/ProblemAlert';
import { PodActionModal } from '../actions/PodActionModal';
import { PodActions } from '../actions/PodActions';
import { JobModal } from '../jobs/JobModal';
import { PodStates } from '../list/podColumns';
import { type CloudPod, isGone, podQuery } from '../pods';
import { cloudpodRoute, type POD_TABS } from '../routes';
import { ActivityTab } from './ActivityTab';
import { BackupsTab } from './BackupsTab';
import { NetworkTab } from './NetworkTab';
import { Notices } from './Notices';
import { OverviewTab } from './OverviewTab';
import { SnapshotsTab } from './SnapshotsTab';

export function CloudPodPage() {
  const { id } = cloudpodRoute.useParams();
  const query = useQuery(podQuery(id));
  if (query.isPending) {
    return (
      <Page title="CloudPod">
        <Skeleton h={36} />
        <Skeleton h={320} />
      </Page>
    );
  }
  if (!query.data) {
    return (
      <Page title="CloudPod">
        <ProblemAlert problem={query.error} retry={() => void query.refetch()} />
      </Page>
    );
  }
  // Anew for each: what was asked or chosen of one pod is not another's.
  return <Shown key={query.data.id} pod={query.data} />;
}

function Shown({ pod }: { pod: CloudPod }) {
  const { job } = cloudpodRoute.useSearch();
  const { isPlatform } = useScope();
  return (
    <Page
      title={pod.name}
      beside={<PodStates pod={pod} />}
      about={[isPlatform && pod.tenant_name, pod.plan.name, pod.image.name, pod.addresses[0]?.address]
        .filter(Boolean)
        .join(' · ')}
      actions={<PodActions pod={pod} />}
    >
      <Notices pod={pod} />
      <PodTabs pod={pod} />
      <PodActionModal pod={pod} />
      <JobModal id={job} />
    </Page>
  );
}

type Tab = (typeof POD_TABS)[number];

function PodTabs({ pod }: { pod: CloudPod }) {
  const { tab = 'overview' } = cloudpodRoute.useSearch();
  const navigate = useNavigate({ from: '/provisioning/cloudpods/$id' });
  const can = useCan();
  const go = (next: string | null) =>
    void navigate({ search: { tab: next === 'overview' ? undefined : ((next as Tab | null) ?? undefined) } });
  const sees = can('provisioning:read') || can('audit:read');
  return (
    <Tabs value={tab} onChange={go} keepMounted={false}>
      <Tabs.List aria-label="About this CloudPod">
        <Tabs.Tab value="overview">Overview</Tabs.Tab>
        {!isGone(pod) && <Tabs.Tab value="network">Network</Tabs.Tab>}
        {!isGone(pod) && <Tabs.Tab value="snapshots">Snapshots</Tabs.Tab>}
        <Tabs.Tab value="backups">Backups</Tabs.Tab>
        {sees && <Tabs.Tab value="activity">Activity</Tabs.Tab>}
      </Tabs.List>
      <Panel value="overview">
        <OverviewTab pod={pod} />
      </Panel>
      <Panel value="network">
        <NetworkTab pod={pod} />
      </Panel>
      <Panel value="snapshots">
        <SnapshotsTab pod={pod} />
      </Panel>
      <Panel value="backups">
        <BackupsTab pod={pod} />
      </Panel>
      {sees && (
        <Panel value="activity">
          <ActivityTab pod={pod} />
        </Panel>
      )}
    </Tabs>
  );
}

function Panel({ value, children }: { value: Tab; children: React.ReactNode }) {
  return (
    <Tabs.Panel value={value} pt="md">
      <Stack gap="md">{children}</Stack>
    </Tabs.Panel>
  );
}
