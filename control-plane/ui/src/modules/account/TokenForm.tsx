import { Alert, Button, MultiSelect, NumberInput, Stack, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useState } from 'react';
import { api, unwrap } from '@/api/client';
import { type Permission, useMe, useScope } from '@/api/me';
import { useAction } from '@/lib/forms/useAction';
import { ProblemAlert } from '@/lib/page/ProblemAlert';
import { Secret } from '@/lib/show/Secret';

interface Values {
  name: string;
  permissions: Permission[];
  expires_in_days: number;
}

const EMPTY: Values = { name: '', permissions: [], expires_in_days: 90 };

/** Makes a token for what is shown now: the chosen tenant, or for staff everything. */
export function TokenForm({ close }: { close: () => void }) {
  const me = useMe();
  const { tenant } = useScope();
  const [secret, setSecret] = useState<string>();
  const form = useForm<Values>({
    initialValues: EMPTY,
    validate: { permissions: (chosen) => (chosen.length === 0 ? 'Choose at least one' : null) },
  });
  const action = useAction({
    form,
    run: (values: Values) => unwrap(api.POST('/api/auth/tokens', { body: { ...values, tenant_id: tenant ?? null } })),
    changes: ['token'],
    done: (made) => setSecret(made.secret),
  });
  if (secret) {
    return (
      <Stack gap="sm">
        <Alert color="yellow">Copy the token now: it is shown this once.</Alert>
        <Secret value={secret} label="API token" />
        <Button onClick={close}>Done</Button>
      </Stack>
    );
  }
  return (
    <form onSubmit={form.onSubmit((values) => action.mutate(values))}>
      <Stack gap="sm">
        <TextInput
          label="Name"
          placeholder="nightly backups"
          required
          maxLength={100}
          data-autofocus
          {...form.getInputProps('name')}
        />
        <MultiSelect
          label="What it may do"
          withAsterisk
          data={me.permissions.map((value) => ({ value, label: wordsOf(value) }))}
          searchable
          clearable
          hidePickedOptions
          {...form.getInputProps('permissions')}
        />
        <NumberInput
          label="Expires in days"
          min={1}
          max={me.staff ? 3650 : 365}
          allowDecimal={false}
          required
          {...form.getInputProps('expires_in_days')}
        />
        <ProblemAlert problem={action.problem} />
        <Button type="submit" loading={action.isPending}>
          Make the token
        </Button>
      </Stack>
    </form>
  );
}

const VERBS: Record<string, string> = { read: 'See', write: 'Change', manage: 'Manage' };

/** `ip_pools:read` in words, beside what programs call it. */
function wordsOf(permission: string): string {
  const [noun = '', verb = ''] = permission.split(':', 2);
  return `${VERBS[verb] ?? verb} ${noun.replaceAll('_', ' ')} (${permission})`;
}
