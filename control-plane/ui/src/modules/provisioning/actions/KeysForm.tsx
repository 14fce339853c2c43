import { Stack, Switch } from '@mantine/core';
import { useForm } from '@mantine/form';
import { api, ifMatch, unwrap } from '@/api/client';
import { TheirsAlert } from '@/lib/forms/TheirsAlert';
import { useAction } from '@/lib/forms/useAction';
import { useTheirs } from '@/lib/forms/useTheirs';
import { KeysInput, keysOf } from '../create/KeysInput';
import { type CloudPod, podParams } from '../pods';
import { FormEnd } from './FormEnd';
import type { ActionFormProps } from './PodActionModal';

interface Values {
  ssh_keys: string;
  reboot: boolean;
}

function valuesOf({ ssh_keys }: CloudPod): Values {
  return { ssh_keys: ssh_keys.join('\n'), reboot: false };
}

export function KeysForm({ pod, close }: ActionFormProps) {
  const form = useForm({ initialValues: valuesOf(pod) });
  const theirs = useTheirs(form, pod, valuesOf);
  const action = useAction({
    form,
    run: ({ ssh_keys, reboot }: Values) =>
      unwrap(
        api.PUT('/api/admin/hosting/cloudpods/{id}/ssh-keys', {
          params: podParams(pod.id),
          headers: ifMatch(theirs.version),
          body: { ssh_keys: keysOf(ssh_keys), reboot },
        }),
      ),
    changes: ['cloudpod', 'job'],
    theirs: theirs.load,
    done: close,
  });
  return (
    <form onSubmit={form.onSubmit((values) => action.mutate(values))}>
      <Stack gap="sm">
        <TheirsAlert theirs={theirs} />
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
