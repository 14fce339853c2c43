import { Stack, Text, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { api, unwrap } from '@/api/client';
import { useAction } from '@/lib/forms/useAction';
import { podParams } from '../pods';
import { FormEnd } from './FormEnd';
import type { ActionFormProps } from './PodActionModal';

export function CaptureForm({ pod, close }: ActionFormProps) {
  const form = useForm({ initialValues: { name: '', os: '' } });
  const action = useAction({
    form,
    run: ({ name, os }: { name: string; os: string }) => {
      const body = { name, os: os || null };
      return unwrap(api.POST('/api/admin/hosting/cloudpods/{id}/capture', { params: podParams(pod.id), body }));
    },
    changes: ['cloudpod', 'job', 'image'],
    done: close,
  });
  return (
    <form onSubmit={form.onSubmit((values) => action.mutate(values))}>
      <Stack gap="sm">
        <Text size="sm">
          Its disk becomes an image for its tenant alone. CloudPods can be made of it on the server that it is on.
        </Text>
        <TextInput
          label="Name"
          placeholder="golden"
          required
          maxLength={63}
          data-autofocus
          {...form.getInputProps('name')}
        />
        <TextInput
          label="System"
          description="For people; left empty: as of the image that it was made of"
          maxLength={100}
          {...form.getInputProps('os')}
        />
        <FormEnd action={action} label="Make the image" close={close} />
      </Stack>
    </form>
  );
}
