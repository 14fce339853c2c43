import { Anchor, Group, Text } from '@mantine/core';
import { IconListCheck, IconZoomExclamation } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { api, unwrap } from '@/api/client';
import { key } from '@/api/keys';
import { useCan, useScope } from '@/api/me';
import { words } from '@/lib/jobs/job';
import { FilterSelect, Filters, FilterText, useIsFiltered } from '@/lib/list/Filters';
import { List } from '@/lib/list/List';
import { EmptyState } from '@/lib/page/EmptyState';
import { Page } from '@/lib/page/Page';
import { ServerFilter } from '../list/podFilters';
import { ProvisioningTabs } from '../ProvisioningTabs';
import { JOB_STATES, jobsRoute } from '../routes';
import { BulkBar } from './BulkBar';
import { type Asked, BulkResult } from './BulkResult';
import { JobModal } from './JobModal';
import { jobColumns } from './jobColumns';
import { JOB_KINDS, jobsQuery } from './jobs';

const FILTERS = ['state', 'kind', 'server_id', 'cloudpod_id', 'waits_for'];
const STATES = JOB_STATES.map((value) => ({ value, label: words(value) }));
const KINDS = JOB_KINDS.map((value) => ({ value, label: words(value) }));

export function JobsPage() {
  const { job, tenant: _, ...filters } = jobsRoute.useSearch();
  const can = useCan();
  const { isPlatform } = useScope();
  const query = useQuery(jobsQuery(filters));
  const [chosen, choose] = useState<ReadonlySet<string>>(new Set());
  const [result, setResult] = useState<Asked>();
  const shown = new Set(query.data?.items.map(({ id }) => id));
  const stillChosen = new Set([...chosen].filter((id) => shown.has(id)));
  const mayChange = can('provisioning:write');
  return (
    <Page title="Jobs" about="What is done to CloudPods, step by step" beside={isPlatform && <Queue />}>
      <ProvisioningTabs />
      <Filters names={FILTERS}>
        <FilterSelect name="state" label="State" options={STATES} />
        <FilterSelect name="kind" label="Kind" options={KINDS} />
        {can('servers:read') && <ServerFilter by="id" />}
        <FilterText name="cloudpod_id" label="CloudPod" placeholder="its id" />
      </Filters>
      {stillChosen.size > 0 && <BulkBar chosen={stillChosen} clear={() => choose(new Set())} done={setResult} />}
      <List
        label="Jobs"
        query={query}
        rowKey={({ id }) => id}
        columns={jobColumns({ withServers: can('servers:read'), withTenants: isPlatform })}
        empty={<Nothing />}
        {...(mayChange ? { selection: { chosen: stillChosen, choose } } : {})}
      />
      <JobModal id={job} />
      <BulkResult result={result} close={() => setResult(undefined)} />
    </Page>
  );
}

/** How much the platform has to do. */
function Queue() {
  const can = useCan();
  const { data } = useQuery({
    queryKey: key('job', 'queue'),
    queryFn: ({ signal }) => unwrap(api.GET('/api/admin/provisioning/queue', { signal })),
    enabled: can('provisioning:manage'),
  });
  if (!data) return null;
  const parts = (['queued', 'running', 'undoing', 'stuck'] as const).filter((state) => data[state] > 0);
  return (
    <Group gap={8}>
      {parts.map((state) => (
        <Anchor
          key={state}
          size="sm"
          renderRoot={(props) => <Link to="/provisioning/jobs" search={{ state }} {...props} />}
        >
          {data[state]} {state}
        </Anchor>
      ))}
      {parts.length === 0 && (
        <Text size="sm" c="dimmed">
          Nothing to do
        </Text>
      )}
    </Group>
  );
}

function Nothing() {
  if (useIsFiltered(FILTERS)) {
    return (
      <EmptyState icon={IconZoomExclamation} title="No job is like this">
        Change the filters, or{' '}
        <Anchor renderRoot={(props) => <Link to="/provisioning/jobs" {...props} />}>show all</Anchor>.
      </EmptyState>
    );
  }
  return (
    <EmptyState icon={IconListCheck} title="No jobs yet">
      Whatever is done to a CloudPod becomes a job, and is shown here with its steps.
    </EmptyState>
  );
}
