import { Anchor, Group } from '@mantine/core';
import { IconHistory, IconZoomExclamation } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useCan, useScope } from '@/api/me';
import { Filters, FilterText, useIsFiltered } from '@/lib/list/Filters';
import { List } from '@/lib/list/List';
import { OpenDrawer, OpenModal } from '@/lib/open/OpenDrawer';
import { EmptyState } from '@/lib/page/EmptyState';
import { Page } from '@/lib/page/Page';
import { auditQuery } from './audit';
import { useAuditColumns } from './columns';
import { ExportMenu } from './ExportMenu';
import { FilterTime } from './FilterTime';
import { RecordDetail } from './RecordDetail';
import { auditRoute } from './routes';
import { FILTERS, useAuditFilter } from './search';
import { Verify, VerifyButton } from './Verify';

export function AuditPage() {
  const { limit, page_token, sort } = auditRoute.useSearch();
  const filter = useAuditFilter();
  const can = useCan();
  const { isPlatform } = useScope();
  const query = useQuery(auditQuery({ limit, page_token, sort, ...filter }));
  const columns = useAuditColumns();
  const mayVerify = isPlatform && can('audit:manage');
  return (
    <Page
      title="Audit"
      about="Who did what, from where, to which"
      actions={
        <Group gap="xs">
          {mayVerify && <VerifyButton />}
          {can('audit:read') && <ExportMenu />}
        </Group>
      }
    >
      <Filters names={FILTERS}>
        <FilterText name="action" label="Action" placeholder="server.created" />
        <FilterText name="actor" label="Who" placeholder="user:<id>" />
        <FilterText name="target_kind" label="About" placeholder="cloudpod" />
        <FilterText name="target_id" label="With the id" />
        <FilterTime name="since" label="From" />
        <FilterTime name="until" label="Until" />
      </Filters>
      <List label="Audit" query={query} rowKey={(record) => record.id} columns={columns} empty={<Nothing />} />
      <OpenDrawer name="record" title="Record" size={720}>
        {(id) => <RecordDetail id={id} />}
      </OpenDrawer>
      {mayVerify && (
        <OpenModal name="verify" title="Prove the audit" size="lg">
          {() => <Verify />}
        </OpenModal>
      )}
    </Page>
  );
}

function Nothing() {
  const isFiltered = useIsFiltered(FILTERS);
  if (!isFiltered) return <EmptyState icon={IconHistory} title="Nothing is recorded yet" />;
  return (
    <EmptyState icon={IconZoomExclamation} title="No record is like this">
      Actions, actors and ids have to be whole. Change the filters, or{' '}
      <Anchor renderRoot={(props) => <Link to="/audit" {...props} />}>show all records</Anchor>.
    </EmptyState>
  );
}
