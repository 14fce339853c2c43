import { Stack, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { api, ifMatch, unwrap } from '@/api/client';
import { TheirsAlert } from '@/lib/forms/TheirsAlert';
import { useAction } from '@/lib/forms/useAction';
import { useTheirs } from '@/lib/forms/useTheirs';
import { type CloudPod, podParams } from '../pods';
import { FormEnd } from './FormEnd';
import type { ActionFormProps } from './PodActionModal';

const valuesOf = ({ name }: CloudPod) => ({ name });

export function RenameForm({ pod, close }: ActionFormProps) {
  const form = useForm({ initialValues: valuesOf(pod) });
  const theirs = useTheirs(form, pod, valuesOf);
  const action = useAction({
    form,
    run: (body: { name: string }) =>
      unwrap(
        api.PATCH('/api/admin/hosting/cloudpods/{id}', {
          params: podParams(pod.id),
          headers: ifMatch(theirs.version),
          body,
        }),
      ),
    changes: ['cloudpod'],
    theirs: theirs.load,
    done: close,
  });
  return (
    <form onSubmit={form.onSubmit((values) => action.mutate(values))}>
      <Stack gap="sm">
        <TheirsAlert theirs={theirs} />
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
