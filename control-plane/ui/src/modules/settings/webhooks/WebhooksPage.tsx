import { Stack, Text } from '@mantine/core';
import { IconWebhook } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useCan, useScope } from '@/api/me';
import { type Column, List, rowLink } from '@/lib/list/List';
import { OpenDrawer } from '@/lib/open/OpenDrawer';
import { EmptyState } from '@/lib/page/EmptyState';
import { Page } from '@/lib/page/Page';
import { Time } from '@/lib/show/Time';
import { AddButton } from '../AddButton';
import { webhooksRoute } from '../routes';
import { WebhookAdd } from './WebhookAdd';
import { WebhookStates } from './WebhookStates';
import { type Webhook, webhooksQuery } from './webhooks';

export function WebhooksPage() {
  const { limit, page_token } = webhooksRoute.useSearch();
  const can = useCan();
  const { isPlatform } = useScope();
  const query = useQuery(webhooksQuery({ limit, page_token }));
  const mayWrite = can('webhooks:write');
  const [name, ...rest] = COLUMNS;
  return (
    <Page
      title="Webhooks"
      about={isPlatform ? 'Where events are sent: the platform’s own, and all tenants’' : 'Where your events are sent'}
      actions={mayWrite && <AddButton label="Add a webhook" />}
    >
      <List
        label="Webhooks"
        query={query}
        rowKey={(webhook) => webhook.id}
        columns={isPlatform ? [name, TENANT, ...rest] : COLUMNS}
        empty={
          <EmptyState icon={IconWebhook} title="There are no webhooks yet">
            Add one: each event is sent to its address, signed, and tried again until it is taken.
          </EmptyState>
        }
      />
      {mayWrite && (
        <OpenDrawer name="add" title="Add a webhook">
          {(_, close) => <WebhookAdd close={close} />}
        </OpenDrawer>
      )}
    </Page>
  );
}

const TENANT: Column<Webhook> = {
  key: 'tenant',
  title: 'Whose events',
  show: whose,
};

const COLUMNS: [Column<Webhook>, ...Column<Webhook>[]] = [
  {
    key: 'name',
    title: 'Name',
    show: ({ id, name, url }) => (
      <Stack gap={0} miw={0}>
        <Link to="/settings/webhooks/$id" params={{ id }} {...rowLink}>
          {name}
        </Link>
        <Text size="xs" c="dimmed" style={{ overflowWrap: 'anywhere' }}>
          {url}
        </Text>
      </Stack>
    ),
  },
  { key: 'state', title: 'State', show: (webhook) => <WebhookStates webhook={webhook} /> },
  { key: 'events', title: 'Events', show: ({ events }) => (events.length === 0 ? 'All' : events.join(', ')) },
  {
    key: 'created_at',
    title: 'Made',
    width: 140,
    from: 'lg',
    show: ({ created_at }) => (
      <Text size="sm" component="span">
        <Time at={created_at} />
      </Text>
    ),
  },
];

/** Whose events it is told of, as a text. */
export function whose({ tenant_id, tenant_name }: Webhook): string {
  return tenant_id ? (tenant_name ?? tenant_id) : 'The platform’s, which are all';
}
