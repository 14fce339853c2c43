import { useScope } from '@/api/me';
import { EmptyState } from '@/lib/page/EmptyState';
import { Page } from '@/lib/page/Page';
import { OneTenant } from './TenantPage';

export function OwnTenantPage() {
  const { tenant } = useScope();
  if (tenant) return <OneTenant id={tenant} />;
  return (
    <Page title="Tenant">
      <EmptyState title="No tenant is chosen">Choose one above.</EmptyState>
    </Page>
  );
}
