import { Button, Stack, Title } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useNavigate } from '@tanstack/react-router';
import { api, unwrap } from '@/api/client';
import { useAction } from '@/lib/forms/useAction';
import { ProblemAlert } from '@/lib/page/ProblemAlert';
import { type Limits, limitsOf, NO_LIMITS, QuotaFields } from './QuotaFields';
import { TenantContact, TenantName, TenantRegion } from './TenantFields';

interface Values {
  name: string;
  contact_email: string;
  default_region: string;
  quotas: Limits;
}

const EMPTY: Values = { name: '', contact_email: '', default_region: '', quotas: NO_LIMITS };

/** Makes a tenant, and goes to it. */
export function TenantForm() {
  const navigate = useNavigate();
  const form = useForm<Values>({ initialValues: EMPTY });
  const action = useAction({
    form,
    run: ({ name, contact_email, default_region, quotas }: Values) => {
      const settings = { contact_email: contact_email || null, default_region: default_region || null };
      return unwrap(api.POST('/api/admin/tenants', { body: { name, ...settings, quotas: limitsOf(quotas) } }));
    },
    changes: ['tenant', 'customer'],
    done: ({ id }) => void navigate({ to: '/settings/tenants/$tenant', params: { tenant: id } }),
  });
  return (
    <form onSubmit={form.onSubmit((values) => action.mutate(values))}>
      <Stack gap="sm">
        <TenantName {...form.getInputProps('name')} />
        <TenantContact {...form.getInputProps('contact_email')} />
        <TenantRegion {...form.getInputProps('default_region')} />
        <Title order={3}>Quotas</Title>
        <QuotaFields propsOf={(name) => form.getInputProps(`quotas.${name}`)} />
        <ProblemAlert problem={action.problem} />
        <Button type="submit" loading={action.isPending}>
          Add the tenant
        </Button>
      </Stack>
    </form>
  );
}
