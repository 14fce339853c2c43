import { Alert, Title } from '@mantine/core';
import { IconAlertTriangle } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useCan, useScope } from '@/api/me';
import { OpenDrawer } from '@/lib/open/OpenDrawer';
import { Page } from '@/lib/page/Page';
import { PageSkeleton } from '@/lib/page/PageSkeleton';
import { ProblemAlert } from '@/lib/page/ProblemAlert';
import { Section } from '@/lib/page/Section';
import { Facts } from '@/lib/show/Facts';
import { Time } from '@/lib/show/Time';
import { number } from '@/lib/show/units';
import { webhookRoute } from '../routes';
import { Deliveries } from './Deliveries';
import { WebhookActions } from './WebhookActions';
import { WebhookEdit } from './WebhookEdit';
import { WebhookStates } from './WebhookStates';
import { whose } from './WebhooksPage';
import { webhookQuery } from './webhooks';

export function WebhookPage() {
  const { id } = webhookRoute.useParams();
  const can = useCan();
  const { isPlatform } = useScope();
  const query = useQuery(webhookQuery(id));
  if (query.isPending) return <PageSkeleton />;
  const webhook = query.data;
  if (!webhook) {
    return (
      <Page title="Webhook">
        <ProblemAlert problem={query.error} retry={() => void query.refetch()} />
      </Page>
    );
  }
  const { name, url, events, created_at, disabled_reason, dropped, dropped_since } = webhook;
  const mayWrite = can('webhooks:write');
  return (
    <Page
      title={name}
      beside={<WebhookStates webhook={webhook} />}
      about="Webhook"
      actions={mayWrite && <WebhookActions webhook={webhook} />}
    >
      {disabled_reason && (
        <Alert color="red" icon={<IconAlertTriangle aria-hidden />} title="It was made inactive">
          {disabled_reason}. Mend the receiver, then make it active again.
        </Alert>
      )}
      {dropped > 0 && (
        <Alert color="yellow" icon={<IconAlertTriangle aria-hidden />} title="Events were dropped">
          {number(dropped)} events were not sent because too many deliveries waited already
          {dropped_since && (
            <>
              , the first <Time at={dropped_since} />
            </>
          )}
          . What they told has to be read from the API.
        </Alert>
      )}
      <Section title="Settings">
        <Facts
          facts={[
            { title: 'Address', value: url },
            { title: 'Events', value: events.length === 0 ? 'All' : events.join(', ') },
            ...(isPlatform ? [{ title: 'Whose events', value: whose(webhook) }] : []),
            { title: 'Made', value: <Time at={created_at} /> },
          ]}
        />
      </Section>
      <Title order={2}>Deliveries</Title>
      <Deliveries id={id} />
      {mayWrite && (
        <OpenDrawer name="edit" title="Change the webhook">
          {(_, close) => <WebhookEdit webhook={webhook} close={close} />}
        </OpenDrawer>
      )}
    </Page>
  );
}
