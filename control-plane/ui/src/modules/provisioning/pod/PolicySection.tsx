import { Button, Modal, NumberInput, Select, SimpleGrid, Skeleton, Stack, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useDisclosure } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { api, ifMatch, unwrap } from '@/api/client';
import { useCan } from '@/api/me';
import { TheirsAlert } from '@/lib/forms/TheirsAlert';
import { useAction } from '@/lib/forms/useAction';
import { useTheirs } from '@/lib/forms/useTheirs';
import { ProblemAlert } from '@/lib/page/ProblemAlert';
import { Section } from '@/lib/page/Section';
import { type Fact, Facts } from '@/lib/show/Facts';
import { Time } from '@/lib/show/Time';
import { FormEnd } from '../actions/FormEnd';
import { type BackupPolicy, type CloudPod, podParams, policyQuery } from '../pods';
import { BACKUP_MODES } from './BackupForm';

/** When backups are made by themselves, and how long they are kept. */
export function PolicySection({ pod }: { pod: CloudPod }) {
  const can = useCan();
  const [isOpen, form] = useDisclosure(false);
  const { data, error, isPending, refetch } = useQuery(policyQuery(pod.id));
  return (
    <Section
      title="Backup policy"
      about="What any of its two rules keeps is kept"
      actions={
        can('cloudpods:write') &&
        data && (
          <Button size="xs" variant="default" onClick={form.open}>
            Change
          </Button>
        )
      }
    >
      {isPending && <Skeleton h={40} />}
      <ProblemAlert problem={error} retry={() => void refetch()} />
      {data && <Facts facts={factsOf(data)} />}
      <Modal opened={isOpen} onClose={form.close} title={`Backup policy of ${pod.name}`}>
        {data && <PolicyForm pod={pod} policy={data} close={form.close} />}
      </Modal>
    </Section>
  );
}

function factsOf({ every_hours, mode, keep_last, keep_days, next_at, storage }: BackupPolicy): (Fact | false)[] {
  const how = BACKUP_MODES.find(({ value }) => value === mode)?.label ?? mode;
  return [
    { title: 'Made by themselves', value: every_hours ? `every ${every_hours} h` : 'no' },
    { title: 'How', value: how },
    { title: 'Keep the newest', value: keep_last ?? 'all' },
    { title: 'Keep those younger than', value: keep_days ? `${keep_days} days` : '–' },
    storage != null && { title: 'Storage', value: storage },
    next_at != null && { title: 'Next', value: <Time at={next_at} /> },
  ];
}

interface Values {
  every_hours: number | '';
  mode: BackupPolicy['mode'];
  keep_last: number | '';
  keep_days: number | '';
  storage: string;
}

function valuesOf({ every_hours, mode, keep_last, keep_days, storage }: BackupPolicy): Values {
  return {
    every_hours: every_hours ?? '',
    mode,
    keep_last: keep_last ?? '',
    keep_days: keep_days ?? '',
    storage: storage ?? '',
  };
}

function PolicyForm({ pod, policy, close }: { pod: CloudPod; policy: BackupPolicy; close: () => void }) {
  const can = useCan();
  const form = useForm<Values>({ initialValues: valuesOf(policy) });
  const theirs = useTheirs(form, policy, valuesOf);
  const seesStorages = can('servers:read');
  const action = useAction({
    form,
    run: ({ mode, storage, ...numbers }: Values) => {
      const body = {
        mode,
        every_hours: numbers.every_hours || null,
        keep_last: numbers.keep_last || null,
        keep_days: numbers.keep_days || null,
        ...(seesStorages ? { storage: storage || null } : {}),
      };
      const [params, headers] = [podParams(pod.id), ifMatch(theirs.version)];
      return unwrap(api.PATCH('/api/admin/hosting/cloudpods/{id}/backup-policy', { params, headers, body }));
    },
    changes: ['cloudpod'],
    theirs: theirs.load,
    done: close,
  });
  return (
    <form onSubmit={form.onSubmit((values) => action.mutate(values))}>
      <Stack gap="sm">
        <TheirsAlert theirs={theirs} />
        <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="sm">
          <NumberInput
            label="Make one every"
            suffix=" h"
            placeholder="not by themselves"
            min={1}
            max={8784}
            allowDecimal={false}
            {...form.getInputProps('every_hours')}
          />
          <Select label="How" allowDeselect={false} data={BACKUP_MODES} {...form.getInputProps('mode')} />
          <NumberInput
            label="Keep the newest"
            min={1}
            max={1000}
            allowDecimal={false}
            {...form.getInputProps('keep_last')}
          />
          <NumberInput
            label="Keep those younger than"
            suffix=" days"
            min={1}
            max={36_500}
            allowDecimal={false}
            {...form.getInputProps('keep_days')}
          />
        </SimpleGrid>
        {seesStorages && (
          <TextInput
            label="Storage"
            placeholder="its server's backup storage"
            maxLength={100}
            {...form.getInputProps('storage')}
          />
        )}
        <FormEnd action={action} label="Save" close={close} />
      </Stack>
    </form>
  );
}
