import { NumberInput, SegmentedControl, SimpleGrid, Stack, Switch, Text } from '@mantine/core';
import { useForm } from '@mantine/form';
import { api, unwrap } from '@/api/client';
import { useCan } from '@/api/me';
import { useAction } from '@/lib/forms/useAction';
import { gib, mib } from '@/lib/show/units';
import { PlanSelect } from '../create/selects';
import { podParams } from '../pods';
import { FormEnd } from './FormEnd';
import type { ActionFormProps } from './PodActionModal';

export function ResizeForm({ pod, close }: ActionFormProps) {
  const can = useCan();
  const { plan, vcpu, memory_mib, disk_gib } = pod;
  const form = useForm({
    initialValues: { by: 'plan', plan: plan.name, vcpu, memory_mib, disk_gib, restart: false },
    validate: { plan: (value, { by }) => (by === 'plan' && !value ? 'Choose one' : null) },
  });
  const values = form.values;
  const action = useAction({
    form,
    run: ({ by, plan: wanted, restart, ...figures }: typeof values) => {
      const body = by === 'plan' ? { plan: wanted, restart } : { ...figures, restart };
      return unwrap(api.POST('/api/admin/hosting/cloudpods/{id}/resize', { params: podParams(pod.id), body }));
    },
    changes: ['cloudpod', 'job'],
    done: close,
  });
  return (
    <form onSubmit={form.onSubmit((chosen) => action.mutate(chosen))}>
      <Stack gap="sm">
        <Text size="sm">
          Now {vcpu} vCPU, {mib(memory_mib)} of memory, {gib(disk_gib)} of disk. The disk only grows.
        </Text>
        {can('cloudpods:manage') && (
          <SegmentedControl
            size="xs"
            aria-label="Resize to"
            data={[
              { value: 'plan', label: 'A plan' },
              { value: 'figures', label: 'Single figures' },
            ]}
            {...form.getInputProps('by')}
          />
        )}
        {values.by === 'plan' ? (
          <PlanSelect {...form.getInputProps('plan')} />
        ) : (
          <SimpleGrid cols={{ base: 1, xs: 3 }} spacing="sm">
            <NumberInput label="vCPU" min={1} max={512} allowDecimal={false} {...form.getInputProps('vcpu')} />
            <NumberInput
              label="Memory"
              suffix=" MiB"
              min={16}
              step={256}
              allowDecimal={false}
              {...form.getInputProps('memory_mib')}
            />
            <NumberInput
              label="Disk"
              suffix=" GiB"
              min={disk_gib}
              allowDecimal={false}
              {...form.getInputProps('disk_gib')}
            />
          </SimpleGrid>
        )}
        <Switch
          label="Restart it, if the new size needs that"
          {...form.getInputProps('restart', { type: 'checkbox' })}
        />
        <FormEnd action={action} label="Resize" close={close} />
      </Stack>
    </form>
  );
}
