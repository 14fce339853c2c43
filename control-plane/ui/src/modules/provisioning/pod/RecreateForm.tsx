import { Stack, Text, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useNavigate } from '@tanstack/react-router';
import { api, unwrap } from '@/api/client';
import { inTenant } from '@/api/scope';
import { useAction } from '@/lib/forms/useAction';
import { exact } from '@/lib/show/Time';
import { FormEnd } from '../actions/FormEnd';
import { PlanSelect } from '../create/selects';
import type { Backup } from '../pods';

export function RecreateForm({ backup, close }: { backup: Backup; close: () => void }) {
  const navigate = useNavigate();
  const form = useForm({ initialValues: { name: '', plan: '' } });
  const action = useAction({
    form,
    run: ({ name, plan }: { name: string; plan: string }) =>
      unwrap(
        api.POST('/api/admin/hosting/backups/{backup}/recreate', {
          params: { path: { backup: backup.id }, query: inTenant() },
          body: { name, plan: plan || null },
        }),
      ),
    changes: ['cloudpod', 'job'],
    done: ({ cloudpod }) => {
      close();
      void navigate({ to: '/provisioning/cloudpods/$id', params: { id: cloudpod.id } });
    },
  });
  return (
    <form onSubmit={form.onSubmit((values) => action.mutate(values))}>
      <Stack gap="sm">
        <Text size="sm">
          It gets the disk of {backup.cloudpod.name} as it was at {exact(backup.made_at ?? backup.created_at)}, with
          addresses and a firewall of its own.
        </Text>
        <TextInput label="Name" required maxLength={63} data-autofocus {...form.getInputProps('name')} />
        <PlanSelect required={false} description="Left empty: as that CloudPod's" {...form.getInputProps('plan')} />
        <FormEnd action={action} label="Make it" close={close} />
      </Stack>
    </form>
  );
}
