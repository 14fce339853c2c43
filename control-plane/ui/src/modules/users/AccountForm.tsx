import { Button, PasswordInput, Select, Stack, Switch, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { notifications } from '@mantine/notifications';
import { api, unwrap } from '@/api/client';
import { TenantSelect } from '@/frame/TenantSelect';
import { passwordFault } from '@/lib/forms/passwords';
import { useAction } from '@/lib/forms/useAction';
import { ProblemAlert } from '@/lib/page/ProblemAlert';
import { ROLE_OPTIONS } from './roles';
import type { Role } from './users';

interface Values {
  email: string;
  name: string;
  password: string;
  staff: boolean;
  tenant_id: string | null;
  role: Role;
}

const EMPTY: Values = { email: '', name: '', password: '', staff: false, tenant_id: null, role: 'OWNER' };

/** Makes an account without an invitation: a tenant's first owner, or one of the platform's staff. */
export function AccountForm({ close }: { close: () => void }) {
  const form = useForm<Values>({
    initialValues: EMPTY,
    validate: {
      password: (password) => (password ? passwordFault(password) : null),
      tenant_id: (tenant, { staff }) => (tenant || staff ? null : 'Choose one, or make them staff'),
    },
  });
  const action = useAction({
    form,
    run: ({ password, role, tenant_id, ...rest }: Values) => {
      const body = { ...rest, password: password || null, tenant_id, role: tenant_id ? role : null };
      return unwrap(api.POST('/api/platform/users', { body }));
    },
    changes: ['user'],
    done: ({ email, name }) => {
      notifications.show({ color: 'green', title: `The account of ${name} is made`, message: email });
      close();
    },
  });
  return (
    <form onSubmit={form.onSubmit((values) => action.mutate(values))}>
      <Stack gap="sm">
        <TextInput
          type="email"
          label="E-mail address"
          required
          maxLength={254}
          data-autofocus
          {...form.getInputProps('email')}
        />
        <TextInput label="Name" required maxLength={100} {...form.getInputProps('name')} />
        <PasswordInput
          label="Password"
          description="Left out: they set one by “password forgotten”, or sign in by a provider"
          autoComplete="new-password"
          {...form.getInputProps('password')}
        />
        <Switch
          label="One of the platform’s staff"
          description="May do everything, for all tenants"
          {...form.getInputProps('staff', { type: 'checkbox' })}
        />
        <TenantSelect
          label="Tenant"
          description={form.values.staff ? 'Staff need none' : undefined}
          {...form.getInputProps('tenant_id')}
        />
        {form.values.tenant_id && (
          <Select label="Role there" data={ROLE_OPTIONS} allowDeselect={false} {...form.getInputProps('role')} />
        )}
        <ProblemAlert problem={action.problem} />
        <Button type="submit" loading={action.isPending}>
          Make the account
        </Button>
      </Stack>
    </form>
  );
}
