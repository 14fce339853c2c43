import { Stack, Switch, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { api, unwrap } from '@/api/client';
import { useAction } from '@/lib/forms/useAction';
import { podParams } from '../pods';
import { useCds } from './cds';
import { FormEnd } from './FormEnd';
import type { ActionFormProps } from './PodActionModal';

export function MediaForm({ pod, close }: ActionFormProps) {
  const { about } = useCds();
  const { iso, boot_from_cd } = pod.media;
  const form = useForm({ initialValues: { iso: iso ?? '', boot_from_cd } });
  const action = useAction({
    form,
    run: (values: { iso: string; boot_from_cd: boolean }) => {
      const body = { iso: values.iso.trim() || null, boot_from_cd: values.boot_from_cd };
      return unwrap(api.POST('/api/admin/hosting/cloudpods/{id}/media', { params: podParams(pod.id), body }));
    },
    changes: ['cloudpod', 'job'],
    done: close,
  });
  return (
    <form onSubmit={form.onSubmit((values) => action.mutate(values))}>
      <Stack gap="sm">
        <TextInput
          label="CD"
          description={`${about}; empty: no CD`}
          placeholder="local:iso/debian-13.iso"
          maxLength={305}
          spellCheck={false}
          data-autofocus
          {...form.getInputProps('iso')}
        />
        <Switch
          label="Boot from it before the disk, from the next start on"
          {...form.getInputProps('boot_from_cd', { type: 'checkbox' })}
        />
        <FormEnd action={action} label="Apply" close={close} />
      </Stack>
    </form>
  );
}
