import { Tabs } from '@mantine/core';
import { IconServer2 } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { problemOf } from '@/api/problem';
import { EmptyState } from '@/lib/page/EmptyState';
import { Page } from '@/lib/page/Page';
import { PageSkeleton } from '@/lib/page/PageSkeleton';
import { ProblemAlert } from '@/lib/page/ProblemAlert';
import { States } from './columns';
import { Tab } from './detail/Tab';
import { SERVER_TABS, serverRoute } from './routes';
import { ServerActions } from './ServerActions';
import { ServerForms } from './ServerForms';
import { drainQuery, type Server, serverQuery } from './servers';

type TabName = (typeof SERVER_TABS)[number] | 'overview';

const LABELS: Record<TabName, string> = {
  overview: 'Overview',
  pods: 'Pods',
  health: 'Health',
  storages: 'Storages',
  drift: 'Drift',
  drain: 'Drain',
  agent: 'Agent',
};

export function ServerPage() {
  const { server: name } = serverRoute.useParams();
  const query = useQuery(serverQuery(name));
  if (query.isPending) return <PageSkeleton />;
  if (!query.data) {
    if (problemOf(query.error).status === 404) return <Missing name={name} />;
    return (
      <Page title={name}>
        <ProblemAlert problem={query.error} retry={() => void query.refetch()} />
      </Page>
    );
  }
  // Anew for each: what was asked or chosen of one server is not another's.
  return <Shown key={query.data.id} server={query.data} stale={query.error} />;
}

function Shown({ server, stale }: { server: Server; stale: unknown }) {
  const { tab = 'overview' } = serverRoute.useSearch();
  const navigate = serverRoute.useNavigate();
  const drain = useQuery(drainQuery(server.id));
  // Who never drained it is not shown where that would be seen.
  const names = (['overview', ...SERVER_TABS] as const).filter(
    (one) => one !== 'drain' || drain.data || tab === 'drain',
  );
  const go = (next: string | null) => {
    const chosen = SERVER_TABS.find((one) => one === next);
    void navigate({ search: { tab: chosen } });
  };
  return (
    <Page
      title={server.name}
      beside={<States server={server} />}
      about={<Whereabouts server={server} />}
      actions={<ServerActions server={server} drain={drain.data ?? undefined} />}
    >
      <ProblemAlert problem={stale} title="This is how it was before" />
      <Tabs value={tab} onChange={go} keepMounted={false}>
        <Tabs.List mb="md">
          {names.map((one) => (
            <Tabs.Tab key={one} value={one}>
              {LABELS[one]}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        {names.map((one) => (
          <Tabs.Panel key={one} value={one}>
            <Tab name={one} server={server} drain={drain.data} />
          </Tabs.Panel>
        ))}
      </Tabs>
      <ServerForms server={server} drain={drain.data ?? undefined} />
    </Page>
  );
}

function Whereabouts({ server: { region, labels, scheduling } }: { server: Server }) {
  const parts = [region, ...Object.entries(labels).map(([key, value]) => `${key}=${value}`)];
  const reason = scheduling.state !== 'online' && scheduling.reason;
  return (
    <>
      {parts.join(' · ')}
      {reason && <> · “{reason}”</>}
    </>
  );
}

function Missing({ name }: { name: string }) {
  return (
    <Page title={name}>
      <EmptyState icon={IconServer2} title="There is no such server" action={<Link to="/servers">All servers</Link>}>
        It was deleted or renamed.
      </EmptyState>
    </Page>
  );
}
