import { Button, Stack, Title } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useNavigate } from '@tanstack/react-router';
import { api, unwrap } from '@/api/client';
import { useAction } from '@/lib/forms/useAction';
import { ProblemAlert } from '@/lib/page/ProblemAlert';
import { TenantContact, TenantName } from '@/modules/settings/tenants/TenantFields';
import { EMPTY, ProfileFields } from './profile';

const VALUES = { name: '', contact_email: '', ...EMPTY };

/** Makes a tenant with a profile, and goes to it. */
export function CustomerForm() {
  const navigate = useNavigate({ from: '/customers' });
  const form = useForm({ initialValues: VALUES });
  const action = useAction({
    form,
    run: ({ name, contact_email, ...profile }: typeof VALUES) => {
      const body = { name, contact_email: contact_email || null, profile };
      return unwrap(api.POST('/api/admin/customers', { body }));
    },
    changes: ['customer', 'tenant'],
    done: ({ tenant_id }) => {
      const search = (before: object) => ({ ...before, add: undefined, customer: tenant_id, part: 'users' as const });
      void navigate({ to: '/customers', search });
    },
  });
  return (
    <form onSubmit={form.onSubmit((values) => action.mutate(values))}>
      <Stack gap="sm">
        <TenantName {...form.getInputProps('name')} />
        <TenantContact {...form.getInputProps('contact_email')} />
        <Title order={3}>Profile</Title>
        <ProfileFields form={form} />
        <ProblemAlert problem={action.problem} />
        <Button type="submit" loading={action.isPending}>
          Add the customer
        </Button>
      </Stack>
    </form>
  );
}
