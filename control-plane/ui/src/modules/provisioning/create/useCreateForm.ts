import { useForm } from '@mantine/form';
import { keysOf } from './KeysInput';
import type { CreateValues } from './values';

const NAME = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const KEYS_MAX = 32;

export type CreateFormState = ReturnType<typeof useCreateForm>;

export function useCreateForm(isPlatform: boolean, initialValues: CreateValues) {
  return useForm<CreateValues>({
    initialValues,
    validate: {
      tenant_id: (value) => (isPlatform && !value ? 'Choose whose it will be' : null),
      plan: (value) => (value ? null : 'Choose one'),
      image: (value) => (value ? null : 'Choose one'),
      name: (value) => (NAME.test(value) ? null : 'Must be small letters, digits and hyphens, at most 63'),
      ssh_keys: (value) => (keysOf(value).length > KEYS_MAX ? `At most ${KEYS_MAX}` : null),
      labels: (value) => (value.every((one) => one.includes('=')) ? null : 'Each must be key=value'),
    },
  });
}
