import { Stack, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { api, ifMatch, unwrap } from '@/api/client';
import { useAction } from '@/lib/forms/useAction';
import { podParams } from '../pods';
import { FormEnd } from './FormEnd';
import type { ActionFormProps } from './PodActionModal';

export function RenameForm({ pod, close }: ActionFormProps) {
  const form = useForm({ initialValues: { name: pod.name } });
  const action = useAction({
    form,
    run: (body: { name: string }) =>
      unwrap(
        api.PATCH('/api/admin/hosting/cloudpods/{id}', {
          params: podParams(pod.id),
          headers: ifMatch(pod.version),
          body,
        }),
      ),
    changes: ['cloudpod'],
    done: close,
  });
  return (
    <form onSubmit={form.onSubmit((values) => action.mutate(values))}>
      <Stack gap="sm">
        <TextInput
          label="Name"
          description="Of its record; the VM keeps the name that it was made with"
          required
          maxLength={63}
          data-autofocus
          {...form.getInputProps('name')}
        />
        <FormEnd action={action} label="Rename" close={close} />
      </Stack>
    </form>
  );
}
