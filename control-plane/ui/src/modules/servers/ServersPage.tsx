import { Anchor, Button } from '@mantine/core';
import { IconPlus, IconServer2, IconZoomExclamation } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useCan } from '@/api/me';
import { FilterSelect, Filters, FilterText, useIsFiltered } from '@/lib/list/Filters';
import { List } from '@/lib/list/List';
import { EmptyState } from '@/lib/page/EmptyState';
import { Page } from '@/lib/page/Page';
import { AddDrawer } from './add/AddDrawer';
import { columns } from './columns';
import { serversRoute } from './routes';
import { serversQuery } from './servers';

const FILTERS = ['name_prefix', 'connection', 'scheduling', 'region', 'label'];
const CONNECTIONS = [
  { value: 'online', label: 'Online' },
  { value: 'offline', label: 'Offline' },
  { value: 'pending', label: 'Not enrolled' },
];
const SCHEDULINGS = [
  { value: 'online', label: 'Open' },
  { value: 'locked', label: 'Locked' },
  { value: 'draining', label: 'Draining' },
];

export function ServersPage() {
  const { add, tenant: _, ...search } = serversRoute.useSearch();
  const navigate = serversRoute.useNavigate();
  const can = useCan();
  const query = useQuery(serversQuery(search));
  return (
    <Page
      title="Servers"
      about="Proxmox VE hosts that CloudPods are placed on"
      actions={can('servers:write') && <AddButton />}
    >
      <Filters names={FILTERS}>
        <FilterText name="name_prefix" label="Name" placeholder="begins with" />
        <FilterSelect name="connection" label="Connection" options={CONNECTIONS} />
        <FilterSelect name="scheduling" label="Scheduling" options={SCHEDULINGS} />
        <FilterText name="region" label="Region" placeholder="default" />
        <FilterText name="label" label="Label" placeholder="key=value" />
      </Filters>
      <List label="Servers" query={query} rowKey={(server) => server.id} columns={columns} empty={<Nothing />} />
      {can('servers:write') && (
        <AddDrawer opened={add === true} close={() => void navigate({ search: ({ add: _closed, ...rest }) => rest })} />
      )}
    </Page>
  );
}

function AddButton() {
  return (
    <Button
      leftSection={<IconPlus aria-hidden size={16} />}
      renderRoot={(props) => <Link to="/servers" search={(before) => ({ ...before, add: true })} {...props} />}
    >
      Add a server
    </Button>
  );
}

function Nothing() {
  const can = useCan();
  const isFiltered = useIsFiltered(FILTERS);
  if (isFiltered) {
    return (
      <EmptyState icon={IconZoomExclamation} title="No server is like this">
        Change the filters, or{' '}
        <Anchor renderRoot={(props) => <Link to="/servers" {...props} />}>show all servers</Anchor>.
      </EmptyState>
    );
  }
  return (
    <EmptyState icon={IconServer2} title="No servers yet" action={can('servers:write') && <AddButton />}>
      Add the first one: you get a command to paste on the Proxmox VE host, and it appears here when its agent connects.
    </EmptyState>
  );
}
