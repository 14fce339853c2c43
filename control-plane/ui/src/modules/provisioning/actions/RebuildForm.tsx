import { Alert, Stack, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { IconAlertTriangle } from '@tabler/icons-react';
import { api, unwrap } from '@/api/client';
import { useAction } from '@/lib/forms/useAction';
import { KeysInput, keysOf } from '../create/KeysInput';
import { ImageSelect } from '../create/selects';
import { podParams } from '../pods';
import { FormEnd } from './FormEnd';
import type { ActionFormProps } from './PodActionModal';

export function RebuildForm({ pod, close }: ActionFormProps) {
  const form = useForm({
    initialValues: { image: pod.image.name, ssh_keys: pod.ssh_keys.join('\n'), user: '', typed: '' },
    validate: { image: (value) => (value ? null : 'Choose one') },
  });
  const values = form.values;
  const action = useAction({
    form,
    run: ({ image, ssh_keys, user }: typeof values) => {
      const body = { image, ssh_keys: keysOf(ssh_keys), user: user || null };
      return unwrap(api.POST('/api/admin/hosting/cloudpods/{id}/rebuild', { params: podParams(pod.id), body }));
    },
    changes: ['cloudpod', 'job'],
    done: close,
  });
  return (
    <form onSubmit={form.onSubmit((chosen) => action.mutate(chosen))}>
      <Stack gap="sm">
        <Alert color="red" icon={<IconAlertTriangle aria-hidden />}>
          All that is on its disk is lost, and so are its snapshots. Its addresses and its backups stay.
        </Alert>
        <ImageSelect {...form.getInputProps('image')} />
        <TextInput
          label="User"
          description="Left empty: as before or, where that was the image's own, the new image's"
          placeholder={pod.user}
          maxLength={32}
          {...form.getInputProps('user')}
        />
        <KeysInput {...form.getInputProps('ssh_keys')} />
        <TextInput
          label={
            <>
              Type <b>{pod.name}</b> to confirm
            </>
          }
          autoComplete="off"
          spellCheck={false}
          {...form.getInputProps('typed')}
        />
        <FormEnd
          action={action}
          label={`Rebuild ${pod.name}`}
          close={close}
          isDanger
          disabled={values.typed.trim() !== pod.name}
        />
      </Stack>
    </form>
  );
}
