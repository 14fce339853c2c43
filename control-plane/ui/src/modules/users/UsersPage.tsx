import { Anchor, Button } from '@mantine/core';
import { IconUserCog, IconZoomExclamation } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useCan, useScope } from '@/api/me';
import { FilterSelect, Filters, FilterText, useIsFiltered } from '@/lib/list/Filters';
import { List } from '@/lib/list/List';
import { OpenDrawer, OpenModal } from '@/lib/open/OpenDrawer';
import { EmptyState } from '@/lib/page/EmptyState';
import { Page } from '@/lib/page/Page';
import { AccountForm } from './AccountForm';
import { InviteButton, InviteModal } from './InviteModal';
import { ROLE_OPTIONS } from './roles';
import { usersRoute } from './routes';
import { STATES } from './states';
import { UserDetail } from './UserDetail';
import { UsersTabs } from './UsersTabs';
import { useUserColumns } from './userColumns';
import { usersQuery } from './users';

const FILTERS = ['role', 'state', 'email_prefix'];

export function UsersPage() {
  const { limit, page_token, role, state, email_prefix, sort, of } = usersRoute.useSearch();
  const can = useCan();
  const { isPlatform } = useScope();
  const query = useQuery(usersQuery({ limit, page_token, role, state, email_prefix, sort }));
  const columns = useUserColumns();
  const mayMake = isPlatform && can('users:manage');
  return (
    <Page
      title="Users"
      about={isPlatform ? 'The people of all tenants' : 'Who may come in, and what they may do'}
      actions={
        <>
          {mayMake && <MakeButton />}
          <InviteButton />
        </>
      }
    >
      <UsersTabs />
      <Filters names={FILTERS}>
        <FilterSelect name="role" label="Role" options={ROLE_OPTIONS} />
        <FilterSelect name="state" label="State" options={STATES} />
        <FilterText name="email_prefix" label="E-mail address" placeholder="Begins with" />
      </Filters>
      <List
        label="Users"
        query={query}
        rowKey={(user) => `${user.id} ${user.tenant_id}`}
        columns={columns}
        empty={<Nothing />}
      />
      <OpenDrawer name="user" title="User">
        {(id) => <UserDetail id={id} tenant={of} />}
      </OpenDrawer>
      <InviteModal />
      {mayMake && (
        <OpenModal name="account" title="Make an account">
          {(_, close) => <AccountForm close={close} />}
        </OpenModal>
      )}
    </Page>
  );
}

function MakeButton() {
  return (
    <Button
      variant="default"
      leftSection={<IconUserCog aria-hidden size={16} />}
      renderRoot={(props) => (
        <Link from="/users" to="/users" search={(before) => ({ ...before, account: true })} {...props} />
      )}
    >
      Make an account
    </Button>
  );
}

function Nothing() {
  const isFiltered = useIsFiltered(FILTERS);
  if (!isFiltered) {
    return (
      <EmptyState title="Nobody belongs here yet" action={<InviteButton />}>
        Invite somebody: they get a link that makes their account.
      </EmptyState>
    );
  }
  return (
    <EmptyState icon={IconZoomExclamation} title="Nobody is like this">
      Change the filters, or <Anchor renderRoot={(props) => <Link to="/users" {...props} />}>show everybody</Anchor>.
    </EmptyState>
  );
}
