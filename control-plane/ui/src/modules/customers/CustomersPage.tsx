import { Anchor, Button } from '@mantine/core';
import { IconBuildingStore, IconPlus, IconZoomExclamation } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useCan } from '@/api/me';
import { FilterSelect, Filters, FilterText, useIsFiltered } from '@/lib/list/Filters';
import { List } from '@/lib/list/List';
import { OpenDrawer } from '@/lib/open/OpenDrawer';
import { EmptyState } from '@/lib/page/EmptyState';
import { Page } from '@/lib/page/Page';
import { CustomerDetail } from './CustomerDetail';
import { CustomerForm } from './CustomerForm';
import { columns } from './columns';
import { customersQuery } from './customers';
import { KpiTiles } from './KpiTiles';
import { customersRoute } from './routes';

const FILTERS = ['q', 'suspended', 'overdue'];
const SUSPENDED = [
  { value: 'false', label: 'Active' },
  { value: 'true', label: 'Suspended' },
];
const OVERDUE = [
  { value: 'true', label: 'Overdue' },
  { value: 'false', label: 'Nothing overdue' },
];

export function CustomersPage() {
  const { limit, page_token, q, suspended, overdue, sort } = customersRoute.useSearch();
  const can = useCan();
  const query = useQuery(
    customersQuery({ limit, page_token, q, suspended: isTrue(suspended), overdue: isTrue(overdue), sort }),
  );
  // Only a first page has them.
  const first = useQuery({ ...customersQuery({ limit: 1 }), enabled: Boolean(page_token) });
  const mayAdd = can('customers:write') && can('tenants:manage');
  return (
    <Page title="Customers" about="Tenants as the platform’s customers" actions={mayAdd && <AddButton />}>
      <KpiTiles kpis={query.data?.kpis ?? first.data?.kpis ?? undefined} isPending={query.isPending} />
      <Filters names={FILTERS}>
        <FilterText name="q" label="Search" placeholder="Name, company, mail" />
        <FilterSelect name="suspended" label="State" options={SUSPENDED} />
        <FilterSelect name="overdue" label="Payments" options={OVERDUE} />
      </Filters>
      <List label="Customers" query={query} rowKey={(one) => one.tenant_id} columns={columns} empty={<Nothing />} />
      <OpenDrawer name="customer" title="Customer" size={760}>
        {(id) => <CustomerDetail id={id} />}
      </OpenDrawer>
      {mayAdd && (
        <OpenDrawer name="add" title="Add a customer">
          {() => <CustomerForm />}
        </OpenDrawer>
      )}
    </Page>
  );
}

function isTrue(value: 'true' | 'false' | undefined): boolean | undefined {
  return value === undefined ? undefined : value === 'true';
}

function AddButton() {
  return (
    <Button
      leftSection={<IconPlus aria-hidden size={16} />}
      renderRoot={(props) => (
        <Link from="/customers" to="/customers" search={(before) => ({ ...before, add: true })} {...props} />
      )}
    >
      Add a customer
    </Button>
  );
}

function Nothing() {
  const isFiltered = useIsFiltered(FILTERS);
  if (!isFiltered) {
    return (
      <EmptyState icon={IconBuildingStore} title="There are no customers yet">
        Add one: it is a tenant with a profile, to which you then invite its first owner.
      </EmptyState>
    );
  }
  return (
    <EmptyState icon={IconZoomExclamation} title="No customer is like this">
      Change the filters, or{' '}
      <Anchor renderRoot={(props) => <Link to="/customers" {...props} />}>show all customers</Anchor>.
    </EmptyState>
  );
}
