import { Stack, Switch } from '@mantine/core';
import { useForm } from '@mantine/form';
import { api, ifMatch, unwrap } from '@/api/client';
import { useAction } from '@/lib/forms/useAction';
import { KeysInput, keysOf } from '../create/KeysInput';
import { podParams } from '../pods';
import { FormEnd } from './FormEnd';
import type { ActionFormProps } from './PodActionModal';

export function KeysForm({ pod, close }: ActionFormProps) {
  const form = useForm({ initialValues: { ssh_keys: pod.ssh_keys.join('\n'), reboot: false } });
  const action = useAction({
    form,
    run: ({ ssh_keys, reboot }: { ssh_keys: string; reboot: boolean }) =>
      unwrap(
        api.PUT('/api/admin/hosting/cloudpods/{id}/ssh-keys', {
          params: podParams(pod.id),
          headers: ifMatch(pod.version),
          body: { ssh_keys: keysOf(ssh_keys), reboot },
        }),
      ),
    changes: ['cloudpod', 'job'],
    done: close,
  });
  return (
    <form onSubmit={form.onSubmit((values) => action.mutate(values))}>
      <Stack gap="sm">
        <KeysInput {...form.getInputProps('ssh_keys')} />
        <Switch
          label="Restart it, so that they count at once"
          {...form.getInputProps('reboot', { type: 'checkbox' })}
        />
        <FormEnd action={action} label="Replace the keys" close={close} />
      </Stack>
    </form>
  );
}
