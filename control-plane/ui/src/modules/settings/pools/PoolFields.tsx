import { NumberInput, SimpleGrid, Switch, TagsInput, TextInput } from '@mantine/core';
import type { UseFormReturnType } from '@mantine/form';
import { numberOrNull, type Typed } from '@/lib/forms/numbers';

/** What a pool has that can be changed, beside its range. */
export interface Common {
  name: string;
  gateway: string;
  dns: string[];
  bridge: string;
  vlan: Typed;
  region: string;
  active: boolean;
  public: boolean;
}

export function commonOf({ bridge, vlan, region, ...rest }: Common) {
  return { ...rest, bridge: bridge || null, vlan: numberOrNull(vlan), region: region || null };
}

export function PoolFields<V extends Common>({ form }: { form: UseFormReturnType<V> }) {
  return (
    <>
      <TextInput
        label="Gateway"
        description="Never given out, also where it lies within the range"
        placeholder="192.0.2.1"
        required
        {...form.getInputProps('gateway')}
      />
      <TagsInput
        label="Name servers"
        description="An address, then Enter"
        splitChars={[',', ' ']}
        {...form.getInputProps('dns')}
      />
      <SimpleGrid cols={2} spacing="sm">
        <TextInput label="Bridge" placeholder="The server’s" {...form.getInputProps('bridge')} />
        <NumberInput
          label="VLAN"
          placeholder="Untagged"
          min={1}
          max={4094}
          allowDecimal={false}
          allowNegative={false}
          {...form.getInputProps('vlan')}
        />
        <TextInput label="Region" placeholder="Every" {...form.getInputProps('region')} />
      </SimpleGrid>
      <Switch
        label="Active"
        description="Whether its addresses may be given out"
        {...form.getInputProps('active', { type: 'checkbox' })}
      />
      <Switch
        label="Public"
        description="Whether customers may draw from it; otherwise only staff gives out its addresses, by naming it"
        {...form.getInputProps('public', { type: 'checkbox' })}
      />
    </>
  );
}
