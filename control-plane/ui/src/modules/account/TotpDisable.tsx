import { Button, PasswordInput, Stack, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { api, unwrap } from '@/api/client';
import { useAction } from '@/lib/forms/useAction';
import { ProblemAlert } from '@/lib/page/ProblemAlert';

const EMPTY = { password: '', totp_code: '', recovery_code: '' };

export function TotpDisable({ close }: { close: () => void }) {
  const form = useForm({ mode: 'uncontrolled', initialValues: EMPTY });
  const action = useAction({
    form,
    run: ({ password, totp_code, recovery_code }: typeof EMPTY) => {
      const second = recovery_code
        ? { recovery_code: recovery_code.trim() }
        : { totp_code: totp_code.replaceAll(' ', '') };
      return unwrap(api.POST('/api/auth/totp/disable', { body: { password, ...second } }));
    },
    changes: ['me'],
    done: close,
  });
  return (
    <form onSubmit={form.onSubmit((values) => action.mutate(values))}>
      <Stack gap="sm">
        <PasswordInput
          label="Your password"
          autoComplete="current-password"
          required
          data-autofocus
          {...form.getInputProps('password')}
        />
        <TextInput
          label="The authenticator's code"
          inputMode="numeric"
          autoComplete="one-time-code"
          {...form.getInputProps('totp_code')}
        />
        <TextInput label="Or a recovery code" autoComplete="off" {...form.getInputProps('recovery_code')} />
        <ProblemAlert problem={action.problem} />
        <Button type="submit" color="red" loading={action.isPending}>
          Take it away
        </Button>
      </Stack>
    </form>
  );
}
