import { Alert, Button, Skeleton } from '@mantine/core';
import { IconBuildingStore, IconEye, IconHandStop, IconPlayerPlay } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { api, unwrap } from '@/api/client';
import { useCan, useScope } from '@/api/me';
import { confirm } from '@/lib/confirm/confirm';
import { Page } from '@/lib/page/Page';
import { PageSkeleton } from '@/lib/page/PageSkeleton';
import { ProblemAlert } from '@/lib/page/ProblemAlert';
import { Section } from '@/lib/page/Section';
import { Time } from '@/lib/show/Time';
import { tenantRoute } from '../routes';
import { QuotaBars } from './QuotaBars';
import { QuotasDrawer } from './QuotasDrawer';
import { TenantPill } from './TenantPill';
import { TenantSettings } from './TenantSettings';
import { quotasQuery, type Tenant, tenantQuery } from './tenants';

export function TenantPage() {
  const { tenant } = tenantRoute.useParams();
  return <OneTenant id={tenant} />;
}

/** A tenant's settings, its quotas, and whether it is suspended. */
export function OneTenant({ id }: { id: string }) {
  const query = useQuery(tenantQuery(id));
  if (query.isPending) return <PageSkeleton />;
  const tenant = query.data;
  if (!tenant) {
    return (
      <Page title="Tenant">
        <ProblemAlert problem={query.error} retry={() => void query.refetch()} />
      </Page>
    );
  }
  const { name, suspension } = tenant;
  return (
    <Page
      title={name}
      beside={<TenantPill suspension={suspension} />}
      about="Tenant"
      actions={<Actions tenant={tenant} />}
    >
      {suspension && (
        <Alert color="red" icon={<IconHandStop aria-hidden />} title="Suspended">
          <Time at={suspension.since} />: {suspension.reason}. Its people may only read, and its CloudPods are
          suspended.
        </Alert>
      )}
      <QuotasSection tenant={tenant} />
      <TenantSettings tenant={tenant} />
    </Page>
  );
}

function Actions({ tenant }: { tenant: Tenant }) {
  const can = useCan();
  const { isPlatform } = useScope();
  return (
    <>
      {isPlatform && (
        <>
          <Button
            variant="default"
            leftSection={<IconBuildingStore aria-hidden size={16} />}
            renderRoot={(props) => <Link to="/customers" search={{ customer: tenant.id }} {...props} />}
          >
            As a customer
          </Button>
          <Button
            variant="default"
            leftSection={<IconEye aria-hidden size={16} />}
            renderRoot={(props) => <Link to="/" search={{ tenant: tenant.id }} {...props} />}
          >
            Look as they do
          </Button>
        </>
      )}
      {can('tenants:manage') &&
        (tenant.suspension ? (
          <Button leftSection={<IconPlayerPlay aria-hidden size={16} />} onClick={() => reactivate(tenant)}>
            Reactivate
          </Button>
        ) : (
          <Button
            color="red"
            variant="light"
            leftSection={<IconHandStop aria-hidden size={16} />}
            onClick={() => suspend(tenant)}
          >
            Suspend
          </Button>
        ))}
    </>
  );
}

function QuotasSection({ tenant }: { tenant: Tenant }) {
  const can = useCan();
  const query = useQuery(quotasQuery(tenant.id));
  return (
    <Section
      title="Quotas"
      about="How much it uses, beside how much it may"
      actions={can('tenants:manage') && query.data && <QuotasDrawer tenant={tenant} {...query.data} />}
    >
      {query.isPending && <Skeleton h={90} />}
      <ProblemAlert problem={query.error} retry={() => void query.refetch()} />
      {query.data && <QuotaBars quotas={query.data.quotas} />}
    </Section>
  );
}

function suspend({ id, name }: Tenant): void {
  confirm({
    title: `Suspend ${name}`,
    children:
      'Its people may only read, nothing new is made for it, and jobs suspend its CloudPods: they are not reachable until ' +
      'it is reactivated. Its people read the reason.',
    label: 'Suspend the tenant',
    typed: name,
    reason: 'required',
    isDanger: true,
    changes: ['tenant', 'quota', 'customer', 'cloudpod', 'job'],
    run: (reason) =>
      unwrap(api.POST('/api/admin/tenants/{id}/suspend', { params: { path: { id } }, body: { reason } })),
  });
}

function reactivate({ id, name }: Tenant): void {
  confirm({
    title: `Reactivate ${name}`,
    children:
      'Its people may do again what their roles say, and jobs give back the CloudPods that the suspension took. Those ' +
      'that were suspended for another reason stay so.',
    label: 'Reactivate',
    changes: ['tenant', 'quota', 'customer', 'cloudpod', 'job'],
    run: () => unwrap(api.POST('/api/admin/tenants/{id}/reactivate', { params: { path: { id } } })),
  });
}
