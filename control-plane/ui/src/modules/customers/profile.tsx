import { SimpleGrid, Textarea, TextInput } from '@mantine/core';
import type { UseFormReturnType } from '@mantine/form';
import type { Profile } from './customers';

export const EMPTY: Profile = {
  company: '',
  contact: '',
  phone: '',
  address: '',
  country: '',
  tax_number: '',
  note: '',
};

/** What is known of a customer, in a form whose other fields may be something else's. */
export function ProfileFields<V extends Profile>({ form }: { form: UseFormReturnType<V> }) {
  return (
    <>
      <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="sm">
        <TextInput label="Company" maxLength={200} {...form.getInputProps('company')} />
        <TextInput label="Contact" maxLength={200} {...form.getInputProps('contact')} />
        <TextInput label="Phone" maxLength={50} {...form.getInputProps('phone')} />
        <TextInput label="Tax number" maxLength={50} {...form.getInputProps('tax_number')} />
      </SimpleGrid>
      <Textarea label="Address" maxLength={500} autosize minRows={2} {...form.getInputProps('address')} />
      <TextInput
        label="Country"
        description="Two letters, such as DE"
        maxLength={2}
        w={180}
        {...form.getInputProps('country')}
      />
      <Textarea
        label="Note"
        description="For the platform’s people alone"
        maxLength={2000}
        autosize
        minRows={2}
        {...form.getInputProps('note')}
      />
    </>
  );
}
