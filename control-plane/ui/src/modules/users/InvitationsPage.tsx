import { Button, Text } from '@mantine/core';
import { IconMail, IconMailOff } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { api, unwrap } from '@/api/client';
import { useCan, useScope } from '@/api/me';
import type { components } from '@/api/schema';
import { confirm } from '@/lib/confirm/confirm';
import { type Column, List } from '@/lib/list/List';
import { EmptyState } from '@/lib/page/EmptyState';
import { Page } from '@/lib/page/Page';
import { Pill } from '@/lib/pills/Pill';
import { Actor } from './Actor';
import { InviteButton, InviteModal } from './InviteModal';
import { ROLES } from './roles';
import { invitationsRoute } from './routes';
import { UsersTabs } from './UsersTabs';
import { When } from './userColumns';
import { invitationsQuery } from './users';

type Invitation = components['schemas']['Invitation'];

export function InvitationsPage() {
  const { limit, page_token } = invitationsRoute.useSearch();
  const query = useQuery(invitationsQuery({ limit, page_token }));
  const columns = useColumns();
  return (
    <Page title="Invitations" about="Open ones: who has not come yet" actions={<InviteButton />}>
      <UsersTabs />
      <List
        label="Invitations"
        query={query}
        rowKey={(invitation) => invitation.id}
        columns={columns}
        empty={<EmptyState title="No invitation is open">Who accepts one is among the people.</EmptyState>}
      />
      <InviteModal />
    </Page>
  );
}

function useColumns(): Column<Invitation>[] {
  const can = useCan();
  const { isPlatform } = useScope();
  const tenant: Column<Invitation> = { key: 'tenant', title: 'Tenant', show: ({ tenant_name }) => tenant_name };
  const actions: Column<Invitation> = {
    key: 'actions',
    title: 'Actions',
    width: 120,
    show: (invitation) => (
      <Button
        size="xs"
        variant="default"
        onClick={() => takeBack(invitation)}
        aria-label={`Take back the invitation of ${invitation.email}`}
      >
        Take back
      </Button>
    ),
  };
  return [COLUMNS[0], ...(isPlatform ? [tenant] : []), ...COLUMNS.slice(1), ...(can('users:write') ? [actions] : [])];
}

const COLUMNS: [Column<Invitation>, ...Column<Invitation>[]] = [
  {
    key: 'email',
    title: 'E-mail address',
    show: ({ email }) => (
      <Text size="sm" fw={600} style={{ overflowWrap: 'anywhere' }}>
        {email}
      </Text>
    ),
  },
  { key: 'role', title: 'Role', width: 110, show: ({ role }) => ROLES[role].label },
  {
    key: 'mailed',
    title: 'Link',
    width: 150,
    show: ({ mailed }) => (
      <Pill tone="plain" icon={mailed ? IconMail : IconMailOff}>
        {mailed ? 'Mailed' : 'Handed over'}
      </Pill>
    ),
  },
  {
    key: 'invited_by',
    title: 'Invited by',
    show: (one) => <Actor actor={one.invited_by} name={one.invited_by_name} />,
  },
  { key: 'expires_at', title: 'Expires', width: 130, show: ({ expires_at }) => <When at={expires_at} /> },
  { key: 'created_at', title: 'Invited', from: 'lg', width: 130, show: ({ created_at }) => <When at={created_at} /> },
];

function takeBack({ id, email, tenant_id }: Invitation): void {
  confirm({
    title: `Take back the invitation of ${email}`,
    children: 'Its link is no longer good. Invite them again to give them another.',
    label: 'Take back',
    isDanger: true,
    changes: ['invitation'],
    run: () =>
      unwrap(api.DELETE('/api/admin/users/invitations/{id}', { params: { path: { id }, query: { tenant_id } } })),
  });
}
