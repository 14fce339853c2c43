import { NumberInput, Select, Stack, Switch, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { api, unwrap } from '@/api/client';
import { useCan } from '@/api/me';
import type { components } from '@/api/schema';
import { useAction } from '@/lib/forms/useAction';
import { FormEnd } from '../actions/FormEnd';
import { type CloudPod, podParams } from '../pods';

type Mode = components['schemas']['BackupMode'];

export const BACKUP_MODES: { value: Mode; label: string }[] = [
  { value: 'snapshot', label: 'While it runs' },
  { value: 'suspend', label: 'While it is paused' },
  { value: 'stop', label: 'While it is stopped' },
];

interface Values {
  note: string;
  mode: Mode;
  protected: boolean;
  keep_days: number | '';
  storage: string;
}

export function BackupForm({ pod, close }: { pod: CloudPod; close: () => void }) {
  const can = useCan();
  const form = useForm<Values>({
    initialValues: { note: '', mode: 'snapshot', protected: false, keep_days: '', storage: '' },
  });
  const action = useAction({
    form,
    run: ({ keep_days, storage, ...rest }: Values) => {
      const body = { ...rest, keep_days: keep_days || null, storage: storage || null };
      return unwrap(api.POST('/api/admin/hosting/cloudpods/{id}/backups', { params: podParams(pod.id), body }));
    },
    changes: ['cloudpod', 'job'],
    done: close,
  });
  return (
    <form onSubmit={form.onSubmit((values) => action.mutate(values))}>
      <Stack gap="sm">
        <TextInput label="Note" maxLength={256} data-autofocus {...form.getInputProps('note')} />
        <Select label="How" allowDeselect={false} data={BACKUP_MODES} {...form.getInputProps('mode')} />
        <NumberInput
          label="Keep it for"
          suffix=" days"
          placeholder="as its policy says"
          min={1}
          max={36_500}
          allowDecimal={false}
          {...form.getInputProps('keep_days')}
        />
        {can('servers:read') && (
          <TextInput
            label="Storage"
            placeholder="its server's backup storage"
            maxLength={100}
            {...form.getInputProps('storage')}
          />
        )}
        <Switch
          label="Protect it"
          description="Never pruned, and not deleted before this is taken away"
          {...form.getInputProps('protected', { type: 'checkbox' })}
        />
        <FormEnd action={action} label="Back up" close={close} />
      </Stack>
    </form>
  );
}
