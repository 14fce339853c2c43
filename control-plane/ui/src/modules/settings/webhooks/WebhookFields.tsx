import { TagsInput, TextInput } from '@mantine/core';
import type { UseFormReturnType } from '@mantine/form';

export interface Values {
  name: string;
  url: string;
  events: string[];
}

/** Nouns of events that a tenant's people see too. */
const EVENTS = ['cloudpod.*', 'job.*', 'snapshot.*', 'backup.*', 'user.*', 'invitation.*', 'tenant.*', 'token.*'];

export function WebhookFields<V extends Values>({ form }: { form: UseFormReturnType<V> }) {
  return (
    <>
      <TextInput
        label="Name"
        placeholder="billing"
        required
        maxLength={100}
        data-autofocus
        {...form.getInputProps('name')}
      />
      <TextInput
        type="url"
        label="Address"
        placeholder="https://hooks.example.com/mpanel"
        required
        maxLength={2000}
        {...form.getInputProps('url')}
      />
      <TagsInput
        label="Events"
        description="Such as cloudpod.created, or cloudpod.* for all of a noun. None: all"
        data={EVENTS}
        maxTags={50}
        comboboxProps={{ position: 'top' }}
        splitChars={[',', ' ']}
        {...form.getInputProps('events')}
      />
    </>
  );
}
