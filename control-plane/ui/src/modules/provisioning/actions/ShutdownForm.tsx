import { NumberInput, Stack, Switch, Text } from '@mantine/core';
import { useForm } from '@mantine/form';
import { api, unwrap } from '@/api/client';
import { useAction } from '@/lib/forms/useAction';
import { podParams } from '../pods';
import { FormEnd } from './FormEnd';
import type { ActionFormProps } from './PodActionModal';

export function ShutdownForm({ pod, close }: ActionFormProps) {
  const form = useForm({ initialValues: { timeout_s: 180, force: false } });
  const action = useAction({
    form,
    run: (body: { timeout_s: number; force: boolean }) =>
      unwrap(api.POST('/api/admin/hosting/cloudpods/{id}/shutdown', { params: podParams(pod.id), body })),
    changes: ['cloudpod', 'job'],
    done: close,
  });
  return (
    <form onSubmit={form.onSubmit((values) => action.mutate(values))}>
      <Stack gap="sm">
        <Text size="sm">Its guest is asked to shut down. Nothing is lost.</Text>
        <NumberInput
          label="How long it gets"
          suffix=" s"
          min={5}
          max={3600}
          allowDecimal={false}
          required
          {...form.getInputProps('timeout_s')}
        />
        <Switch
          label="Cut its power if it is not down by then"
          {...form.getInputProps('force', { type: 'checkbox' })}
        />
        <FormEnd action={action} label="Shut down" close={close} />
      </Stack>
    </form>
  );
}
