import { Fieldset, NumberInput, SimpleGrid, Stack, TagsInput, TextInput } from '@mantine/core';
import type { UseFormReturnType } from '@mantine/form';
import { mib } from '@/lib/show/units';
import type { Server } from '../servers';
import { BackupStorage } from './BackupStorage';
import classes from './ServerFields.module.css';
import { StorageFields } from './StorageFields';
import type { ServerValues } from './values';

interface Props {
  form: UseFormReturnType<ServerValues>;
  /** What its agent told, where there is one. */
  server?: Server;
}

/** All that an operator says of a server. */
export function ServerFields({ form, server }: Props) {
  const host = server?.host;
  const memory = form.values.memory_mib;
  const labelsError = Object.entries(form.errors).find(([field]) => field.split('.', 1)[0] === 'labels')?.[1];
  return (
    <Stack gap="md">
      <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="sm">
        <TextInput
          label="Name"
          placeholder="pve1"
          description="Letters, digits, . _ -"
          required
          maxLength={63}
          data-autofocus
          {...form.getInputProps('name')}
        />
        <TextInput label="Region" description="Where it stands" maxLength={63} {...form.getInputProps('region')} />
      </SimpleGrid>
      <TagsInput
        label="Labels"
        description="For placement, as key=value; Enter adds one"
        placeholder={form.values.labels.length === 0 ? 'disk=ssd' : undefined}
        maxTags={32}
        clearable
        acceptValueOnBlur
        {...form.getInputProps('labels')}
        error={labelsError}
      />
      <Fieldset legend="Storages for pods" variant="unstyled" classNames={classes}>
        <StorageFields form={form} server={server} />
      </Fieldset>
      <Fieldset legend="Limits" variant="unstyled" classNames={classes}>
        <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="sm">
          <NumberInput
            label="CPU threads"
            description={
              host?.cpu_threads ? `Empty: ${host.cpu_threads}, as its agent told` : 'Empty: as its agent tells'
            }
            min={1}
            allowDecimal={false}
            {...form.getInputProps('cpu_threads')}
          />
          <NumberInput
            label="vCPUs per thread"
            description="1 promises no more than there is"
            min={0.1}
            max={64}
            step={0.5}
            required
            {...form.getInputProps('cpu_overcommit')}
          />
          <NumberInput
            label="Memory (MiB)"
            description={
              memory !== ''
                ? mib(memory)
                : host?.memory_mib
                  ? `Empty: ${mib(host.memory_mib)}, as its agent told`
                  : 'Empty: as its agent tells'
            }
            min={128}
            step={1024}
            allowDecimal={false}
            thousandSeparator=" "
            {...form.getInputProps('memory_mib')}
          />
          <NumberInput
            label="Pods at most"
            description="Empty: no limit"
            min={0}
            allowDecimal={false}
            {...form.getInputProps('pod_limit')}
          />
        </SimpleGrid>
      </Fieldset>
      <Fieldset legend="Proxmox VE" variant="unstyled" classNames={classes}>
        <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="sm">
          <TextInput label="Bridge" description="Pods are attached to it" required {...form.getInputProps('bridge')} />
          <BackupStorage form={form} server={server} />
          <NumberInput
            label="Lowest VMID"
            min={100}
            allowDecimal={false}
            required
            {...form.getInputProps('vmid_min')}
          />
          <NumberInput
            label="Highest VMID"
            min={100}
            allowDecimal={false}
            required
            {...form.getInputProps('vmid_max')}
          />
        </SimpleGrid>
      </Fieldset>
    </Stack>
  );
}
