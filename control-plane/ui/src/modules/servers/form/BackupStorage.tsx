import { Autocomplete } from '@mantine/core';
import type { UseFormReturnType } from '@mantine/form';
import type { Server } from '../servers';
import type { ServerValues } from './values';

interface Props {
  form: UseFormReturnType<ServerValues>;
  server?: Server;
}

export function BackupStorage({ form, server }: Props) {
  return (
    <Autocomplete
      label="Backup storage"
      description="Where a backup names none"
      placeholder="Each names its own"
      data={server?.host.backup_storages ?? []}
      {...form.getInputProps('backup_storage')}
    />
  );
}
