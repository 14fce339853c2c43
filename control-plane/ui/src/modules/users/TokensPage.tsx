import { Button, Stack, Text, Tooltip } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { api, unwrap } from '@/api/client';
import { useScope } from '@/api/me';
import type { components } from '@/api/schema';
import { confirm } from '@/lib/confirm/confirm';
import { type Column, List } from '@/lib/list/List';
import { EmptyState } from '@/lib/page/EmptyState';
import { Page } from '@/lib/page/Page';
import { tokensRoute } from './routes';
import { UsersTabs } from './UsersTabs';
import { When } from './userColumns';
import { tokensQuery } from './users';

type Token = components['schemas']['ApiToken'];

export function TokensPage() {
  const { limit, page_token } = tokensRoute.useSearch();
  const query = useQuery(tokensQuery({ limit, page_token }));
  const { isPlatform } = useScope();
  const tenant: Column<Token> = {
    key: 'tenant',
    title: 'Counts for',
    show: ({ tenant_name }) => tenant_name ?? 'Everything',
  };
  const [name, ...rest] = COLUMNS;
  return (
    <Page title="API tokens" about="Everybody’s that are good; one’s own are made on the account page">
      <UsersTabs />
      <List
        label="API tokens"
        query={query}
        rowKey={(token) => token.id}
        columns={isPlatform ? [name, tenant, ...rest] : COLUMNS}
        empty={<EmptyState title="There are none">A token lets a program act in the name of who made it.</EmptyState>}
      />
    </Page>
  );
}

const COLUMNS: [Column<Token>, ...Column<Token>[]] = [
  {
    key: 'name',
    title: 'Name',
    show: ({ name, permissions }) => (
      <Stack gap={0} miw={0}>
        <Text size="sm" fw={600}>
          {name}
        </Text>
        <Tooltip label={permissions.join(', ')} multiline maw={420}>
          <Text size="xs" c="dimmed" lineClamp={1}>
            {permissions.join(', ')}
          </Text>
        </Tooltip>
      </Stack>
    ),
  },
  { key: 'user_id', title: 'Whose', show: ({ user_email }) => user_email },
  {
    key: 'last_used_at',
    title: 'Last used',
    width: 130,
    show: ({ last_used_at }) => <When at={last_used_at} otherwise="Never" />,
  },
  { key: 'expires_at', title: 'Expires', width: 130, show: ({ expires_at }) => <When at={expires_at} /> },
  { key: 'created_at', title: 'Made', from: 'lg', width: 130, show: ({ created_at }) => <When at={created_at} /> },
  { key: 'actions', title: 'Actions', width: 100, show: (token) => <Revoke token={token} /> },
];

function Revoke({ token: { id, name, tenant_id } }: { token: Token }) {
  const revoke = () =>
    confirm({
      title: `Revoke ${name}`,
      children: 'Programs that use it are refused from then on, and so are tokens that were made with it.',
      label: 'Revoke',
      isDanger: true,
      changes: ['token'],
      run: () => {
        const query = { tenant_id: tenant_id ?? undefined };
        return unwrap(api.DELETE('/api/admin/tokens/{id}', { params: { path: { id }, query } }));
      },
    });
  return (
    <Button size="xs" variant="default" onClick={revoke} aria-label={`Revoke ${name}`}>
      Revoke
    </Button>
  );
}
