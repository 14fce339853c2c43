import { Alert, Button, PasswordInput, Stack, Switch, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useState } from 'react';
import { api, unwrap } from '@/api/client';
import { useAction } from '@/lib/forms/useAction';
import { Secret } from '@/lib/show/Secret';
import { podParams } from '../pods';
import { FormEnd } from './FormEnd';
import type { ActionFormProps } from './PodActionModal';

export function PasswordForm({ pod, close }: ActionFormProps) {
  const [made, setMade] = useState<{ user: string; password: string }>();
  const form = useForm({ initialValues: { user: '', password: '', reboot: false } });
  const action = useAction({
    form,
    run: ({ user, password, reboot }: { user: string; password: string; reboot: boolean }) => {
      const body = { user: user || null, password: password || null, reboot };
      return unwrap(api.POST('/api/admin/hosting/cloudpods/{id}/reset-password', { params: podParams(pod.id), body }));
    },
    changes: ['cloudpod', 'job'],
    done: ({ user, password }) => (password ? setMade({ user, password }) : close()),
  });
  if (made) {
    return (
      <Stack gap="sm">
        <Alert color="yellow">
          Copy the password of {made.user} now: it is shown this once. It counts once its job has succeeded.
        </Alert>
        <Secret value={made.password} label={`Password of ${made.user}`} />
        <Button onClick={close}>Done</Button>
      </Stack>
    );
  }
  return (
    <form onSubmit={form.onSubmit((values) => action.mutate(values))}>
      <Stack gap="sm">
        <TextInput label="User" placeholder={pod.user} maxLength={32} {...form.getInputProps('user')} />
        <PasswordInput
          label="Password"
          description="Left empty: one is made up, and shown once"
          autoComplete="new-password"
          maxLength={128}
          {...form.getInputProps('password')}
        />
        <Switch
          label="Restart it, where no guest agent answers"
          description="cloud-init sets it then"
          {...form.getInputProps('reboot', { type: 'checkbox' })}
        />
        <FormEnd action={action} label="Set the password" close={close} />
      </Stack>
    </form>
  );
}
