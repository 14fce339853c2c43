import { ActionIcon, Autocomplete, Button, Group, NumberInput, Stack, Text } from '@mantine/core';
import type { UseFormReturnType } from '@mantine/form';
import { IconPlus, IconTrash } from '@tabler/icons-react';
import type { Server } from '../servers';
import type { ServerValues } from './values';

interface Props {
  form: UseFormReturnType<ServerValues>;
  server?: Server;
}

/** The storages that are offered to pods, each with its limit. */
export function StorageFields({ form, server }: Props) {
  const offered = form.values.storages;
  const seen = server?.storages.map((one) => one.name) ?? ['local-lvm', 'local', 'local-zfs'];
  const left = seen.filter((name) => !offered.some((one) => one.name === name));
  return (
    <Stack gap="xs">
      {offered.length === 0 && (
        <Text size="sm" c="dimmed">
          None: no pod can be placed on it yet.
        </Text>
      )}
      {offered.map((_, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the fields are bound to their place in the list
        <Group key={index} gap="xs" align="flex-start" wrap="nowrap">
          <Autocomplete
            aria-label={`Storage ${index + 1}`}
            placeholder="local-lvm"
            required
            flex={1}
            data={left}
            {...form.getInputProps(`storages.${index}.name`)}
          />
          <NumberInput
            aria-label={`Storage ${index + 1}: GiB for pods`}
            placeholder="All of it"
            suffix=" GiB"
            min={1}
            w={120}
            allowDecimal={false}
            {...form.getInputProps(`storages.${index}.disk_gib`)}
          />
          <ActionIcon
            variant="default"
            size={36}
            aria-label={`Offer ${offered[index]?.name || `storage ${index + 1}`} no more`}
            onClick={() => form.removeListItem('storages', index)}
          >
            <IconTrash aria-hidden size={16} />
          </ActionIcon>
        </Group>
      ))}
      <div>
        <Button
          size="xs"
          variant="default"
          leftSection={<IconPlus aria-hidden size={14} />}
          onClick={() => form.insertListItem('storages', { name: left[0] ?? '', disk_gib: '' })}
        >
          Offer a storage
        </Button>
        {typeof form.errors.storages === 'string' && (
          <Text size="sm" c="error" role="alert">
            {form.errors.storages}
          </Text>
        )}
      </div>
    </Stack>
  );
}
