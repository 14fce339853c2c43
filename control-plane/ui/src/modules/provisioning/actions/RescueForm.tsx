import { Stack, Text, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { api, unwrap } from '@/api/client';
import { useAction } from '@/lib/forms/useAction';
import { podParams } from '../pods';
import { useCds } from './cds';
import { FormEnd } from './FormEnd';
import type { ActionFormProps } from './PodActionModal';

export function RescueForm({ pod, close }: ActionFormProps) {
  const { about } = useCds();
  const form = useForm({ initialValues: { iso: '' } });
  const action = useAction({
    form,
    run: (body: { iso: string }) =>
      unwrap(api.POST('/api/admin/hosting/cloudpods/{id}/rescue', { params: podParams(pod.id), body })),
    changes: ['cloudpod', 'job'],
    done: close,
  });
  return (
    <form onSubmit={form.onSubmit((values) => action.mutate(values))}>
      <Stack gap="sm">
        <Text size="sm">
          It is stopped and started from a CD, with its own disk beside it. Open its console then. Its disk is not
          changed.
        </Text>
        <TextInput
          label="Rescue CD"
          description={about}
          placeholder="local:iso/rescue.iso"
          required
          maxLength={305}
          spellCheck={false}
          data-autofocus
          {...form.getInputProps('iso')}
        />
        <FormEnd action={action} label="Rescue" close={close} />
      </Stack>
    </form>
  );
}
