import { Alert, Button, Group, Skeleton, Stack, Tabs, Text, Title } from '@mantine/core';
import { IconEye, IconHandStop, IconSettings } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useOpen } from '@/lib/open/useOpen';
import { ProblemAlert } from '@/lib/page/ProblemAlert';
import { Facts } from '@/lib/show/Facts';
import { money } from '@/lib/show/money';
import { Time } from '@/lib/show/Time';
import { QuotaBars } from '@/modules/settings/tenants/QuotaBars';
import { TenantPill } from '@/modules/settings/tenants/TenantPill';
import { customerQuery, type Overview } from './customers';
import { EventsPart } from './EventsPart';
import { HealthPart } from './HealthPart';
import { OrdersPart } from './OrdersPart';
import { PodsPart } from './PodsPart';
import { ProfilePart } from './ProfilePart';
import { PARTS, type Part } from './routes';
import { Score } from './Score';
import { UsersPart } from './UsersPart';

const LABELS: Record<Part, string> = {
  health: 'Health',
  orders: 'Orders',
  pods: 'CloudPods',
  users: 'Users',
  events: 'Events',
  profile: 'Profile',
};

/** One customer as a whole. */
export function CustomerDetail({ id }: { id: string }) {
  const query = useQuery(customerQuery(id));
  const part = useOpen('part');
  if (query.isPending) return <Skeleton h={420} />;
  const { data } = query;
  if (!data) return <ProblemAlert problem={query.error} retry={() => void query.refetch()} />;
  const shown = part.isOpen ? (part.last ?? 'health') : 'health';
  return (
    <Stack gap="md">
      <Head overview={data} />
      <Tabs value={shown} onChange={(next) => part.open(next === 'health' ? undefined : (next ?? undefined))}>
        <Tabs.List style={{ flexWrap: 'nowrap', overflowX: 'auto', overflowY: 'hidden' }}>
          {PARTS.map((one) => (
            <Tabs.Tab key={one} value={one}>
              {LABELS[one]}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        <Tabs.Panel value="health" pt="md">
          <Stack gap="lg">
            <HealthPart health={data.customer.health} />
            <Stack gap="xs">
              <Title order={3}>Quotas</Title>
              <QuotaBars quotas={data.quotas} />
            </Stack>
          </Stack>
        </Tabs.Panel>
        <Tabs.Panel value="orders" pt="md">
          <OrdersPart overview={data} />
        </Tabs.Panel>
        <Tabs.Panel value="pods" pt="md">
          <PodsPart overview={data} />
        </Tabs.Panel>
        <Tabs.Panel value="users" pt="md">
          <UsersPart overview={data} />
        </Tabs.Panel>
        <Tabs.Panel value="events" pt="md">
          <EventsPart overview={data} />
        </Tabs.Panel>
        <Tabs.Panel value="profile" pt="md">
          <ProfilePart id={id} />
        </Tabs.Panel>
      </Tabs>
    </Stack>
  );
}

function Head({ overview: { customer, profile } }: { overview: Overview }) {
  const { tenant_id, name, suspension, contact_email, revenue, last_active_at, created_at, health } = customer;
  return (
    <Stack gap="sm">
      <Group justify="space-between" align="flex-start" gap="xs">
        <div>
          <Group gap="xs">
            <Title order={3} fz="lg">
              {name}
            </Title>
            <TenantPill suspension={suspension} />
            <Score health={health} />
          </Group>
          <Text size="sm" c="dimmed">
            {[profile.company, profile.country].filter(Boolean).join(' · ') || 'No profile yet'}
          </Text>
        </div>
        <Group gap="xs">
          <Button
            size="xs"
            variant="default"
            leftSection={<IconEye aria-hidden size={14} />}
            renderRoot={(props) => <Link to="/" search={{ tenant: tenant_id }} {...props} />}
          >
            Look as they do
          </Button>
          <Button
            size="xs"
            variant="default"
            leftSection={<IconSettings aria-hidden size={14} />}
            renderRoot={(props) => <Link to="/settings/tenants/$tenant" params={{ tenant: tenant_id }} {...props} />}
          >
            Tenant and quotas
          </Button>
        </Group>
      </Group>
      {suspension && (
        <Alert color="red" icon={<IconHandStop aria-hidden />}>
          Suspended <Time at={suspension.since} />: {suspension.reason}
        </Alert>
      )}
      <Facts
        facts={[
          { title: 'Revenue', value: revenue.map(money).join(', ') },
          { title: 'Contact', value: profile.contact },
          { title: 'E-mail address', value: contact_email ?? 'Its owners’' },
          { title: 'Phone', value: profile.phone },
          { title: 'Last active', value: last_active_at ? <Time at={last_active_at} /> : 'Never' },
          { title: 'Customer since', value: <Time at={created_at} /> },
        ]}
      />
    </Stack>
  );
}
