import { NumberInput, SimpleGrid, Switch, Text, TextInput } from '@mantine/core';
import type { UseFormReturnType } from '@mantine/form';
import { numberOrNull, required, type Typed } from '@/lib/forms/numbers';
import { decimal, minorOf, money } from '@/lib/show/money';
import type { Plan } from './plans';

export interface Values {
  name: string;
  vcpu: Typed;
  memory_mib: Typed;
  disk_gib: Typed;
  traffic_gib: Typed;
  /** As people write it: `4.99`. */
  price_minor: string;
  currency: string;
  active: boolean;
}

export const EMPTY: Values = {
  name: '',
  vcpu: 1,
  memory_mib: 1024,
  disk_gib: 10,
  traffic_gib: '',
  price_minor: '0',
  currency: 'EUR',
  active: true,
};

export const faults = {
  vcpu: required,
  memory_mib: required,
  disk_gib: required,
  currency: (currency: string) => (/^[A-Z]{3}$/.test(currency) ? null : 'Must be three letters, such as EUR'),
  price_minor: (price: string, { currency }: Values) =>
    minorOf(price, currency) === null ? `Must be an amount in ${currency}, such as ${decimal(499, currency)}` : null,
};

export function valuesOf({
  name,
  active,
  vcpu,
  memory_mib,
  disk_gib,
  traffic_gib,
  price_minor,
  currency,
}: Plan): Values {
  const sizes = { vcpu, memory_mib, disk_gib, traffic_gib: traffic_gib ?? '' };
  return { name, active, ...sizes, price_minor: decimal(price_minor, currency), currency };
}

export function bodyOf({ vcpu, memory_mib, disk_gib, traffic_gib, price_minor, ...rest }: Values) {
  return {
    ...rest,
    vcpu: Number(vcpu),
    memory_mib: Number(memory_mib),
    disk_gib: Number(disk_gib),
    traffic_gib: numberOrNull(traffic_gib),
    price_minor: minorOf(price_minor, rest.currency) ?? 0,
  };
}

/** A change counts for new CloudPods; those that were made of it stay as they are. */
export function PlanFields({ form, readOnly }: { form: UseFormReturnType<Values>; readOnly?: boolean }) {
  const { price_minor, currency } = form.values;
  const minor = minorOf(price_minor, currency);
  const whole = { allowDecimal: false, allowNegative: false, thousandSeparator: ',', readOnly };
  return (
    <>
      <TextInput
        label="Name"
        placeholder="small"
        required
        maxLength={100}
        readOnly={readOnly}
        data-autofocus
        {...form.getInputProps('name')}
      />
      <SimpleGrid cols={2} spacing="sm">
        <NumberInput label="vCPU" required min={1} max={512} {...whole} {...form.getInputProps('vcpu')} />
        <NumberInput
          label="Memory (MiB)"
          required
          min={16}
          step={512}
          {...whole}
          {...form.getInputProps('memory_mib')}
        />
        <NumberInput label="Disk (GiB)" required min={1} {...whole} {...form.getInputProps('disk_gib')} />
        <NumberInput
          label="Traffic a month (GiB)"
          placeholder="Unlimited"
          min={0}
          {...whole}
          {...form.getInputProps('traffic_gib')}
        />
        <TextInput
          label="Price a month"
          inputMode="decimal"
          required
          readOnly={readOnly}
          {...form.getInputProps('price_minor')}
        />
        <TextInput
          label="Currency"
          required
          maxLength={3}
          readOnly={readOnly}
          {...form.getInputProps('currency')}
          onChange={(event) => form.setFieldValue('currency', event.currentTarget.value.toUpperCase())}
        />
      </SimpleGrid>
      <Text size="xs" c="dimmed">
        {minor === null
          ? 'A price as it is written in its currency'
          : `${money({ amount_minor: minor, currency })} a month`}
      </Text>
      <Switch
        label="Active"
        description="Whether new CloudPods may be made of it. Those that were stay as they are."
        disabled={readOnly}
        {...form.getInputProps('active', { type: 'checkbox' })}
      />
    </>
  );
}
