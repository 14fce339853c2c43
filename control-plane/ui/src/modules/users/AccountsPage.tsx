import { Anchor, Stack, Text } from '@mantine/core';
import { IconShieldCheck, IconUserShield, IconZoomExclamation } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { FilterSelect, Filters, FilterText } from '@/lib/list/Filters';
import { type Column, List } from '@/lib/list/List';
import { EmptyState } from '@/lib/page/EmptyState';
import { Page } from '@/lib/page/Page';
import { Pill } from '@/lib/pills/Pill';
import { AccountMenu } from './AccountMenu';
import { type Account, accountsQuery } from './accounts';
import { accountsRoute } from './routes';
import { STATES } from './states';
import { UserPill } from './UserPill';
import { UsersTabs } from './UsersTabs';
import { When } from './userColumns';

const FILTERS = ['staff', 'state', 'email_prefix'];
const WHO = [
  { value: 'true', label: 'The staff' },
  { value: 'false', label: 'All others' },
];

/** For staff: who can sign in at all, whatever tenants they belong to. */
export function AccountsPage() {
  const { limit, page_token, staff, state, email_prefix } = accountsRoute.useSearch();
  const isStaff = staff === undefined ? undefined : staff === 'true';
  const query = useQuery(accountsQuery({ limit, page_token, staff: isStaff, state, email_prefix }));
  return (
    <Page title="Accounts" about="Who can sign in: the platform’s staff, and the people of all tenants">
      <UsersTabs />
      <Filters names={FILTERS}>
        <FilterSelect name="staff" label="Who" options={WHO} />
        <FilterSelect name="state" label="State" options={STATES} />
        <FilterText name="email_prefix" label="E-mail address" placeholder="Begins with" />
      </Filters>
      <List label="Accounts" query={query} rowKey={({ id }) => id} columns={COLUMNS} empty={<Nothing />} />
    </Page>
  );
}

const COLUMNS: Column<Account>[] = [
  {
    key: 'name',
    title: 'Name and address',
    show: ({ name, email }) => (
      <Stack gap={0} miw={0}>
        <Text size="sm" fw={600}>
          {name}
        </Text>
        <Text size="xs" c="dimmed" style={{ overflowWrap: 'anywhere' }}>
          {email}
        </Text>
      </Stack>
    ),
  },
  {
    key: 'staff',
    title: 'Who',
    width: 130,
    show: ({ staff }) =>
      staff ? (
        <Pill tone="busy" icon={IconUserShield}>
          Staff
        </Pill>
      ) : (
        'A tenant’s'
      ),
  },
  { key: 'state', title: 'State', width: 130, show: ({ suspended_at }) => <UserPill suspendedAt={suspended_at} /> },
  {
    key: 'totp_enabled',
    title: 'Second factor',
    width: 140,
    show: ({ totp_enabled }) =>
      totp_enabled ? (
        <Pill tone="good" icon={IconShieldCheck}>
          On
        </Pill>
      ) : (
        'Off'
      ),
  },
  {
    key: 'last_sign_in_at',
    title: 'Last sign-in',
    width: 150,
    show: ({ last_sign_in_at }) => <When at={last_sign_in_at} otherwise="Never" />,
  },
  { key: 'created_at', title: 'Made', from: 'lg', width: 150, show: ({ created_at }) => <When at={created_at} /> },
  { key: 'actions', title: 'Actions', width: 80, show: (account) => <AccountMenu account={account} /> },
];

function Nothing() {
  return (
    <EmptyState icon={IconZoomExclamation} title="No account is like this">
      Change the filters, or{' '}
      <Anchor renderRoot={(props) => <Link to="/users/accounts" {...props} />}>show all accounts</Anchor>.
    </EmptyState>
  );
}
