import { NumberInput, type NumberInputProps, SimpleGrid, Text } from '@mantine/core';
import { numberOrNull, type Typed } from '@/lib/forms/numbers';
import { QUOTA_NAMES, QUOTAS } from './quotas';
import type { Quotas } from './tenants';

/** As typed; empty: unlimited. */
export type Limits = Record<keyof Quotas, Typed>;

export const NO_LIMITS: Limits = {
  pods: '',
  vcpu: '',
  memory_mib: '',
  disk_gib: '',
  addresses: '',
  snapshots: '',
  backups: '',
};

export function limitsTyped(quotas: Quotas): Limits {
  return mapped((name) => quotas[name].limit ?? '');
}

/** As the API takes them. */
export function limitsOf(limits: Limits): Record<keyof Quotas, number | null> {
  return mapped((name) => numberOrNull(limits[name]));
}

function mapped<T>(of: (name: keyof Quotas) => T): Record<keyof Quotas, T> {
  return Object.fromEntries(QUOTA_NAMES.map((name) => [name, of(name)])) as Record<keyof Quotas, T>;
}

export function QuotaFields({ propsOf }: { propsOf: (name: keyof Quotas) => NumberInputProps }) {
  return (
    <>
      <Text size="xs" c="dimmed">
        An empty field: unlimited. What is used already stays when a limit is lowered below it.
      </Text>
      <SimpleGrid cols={2} spacing="sm">
        {QUOTA_NAMES.map((name) => {
          const { label, unit } = QUOTAS[name];
          return (
            <NumberInput
              key={name}
              label={unit ? `${label} (${unit})` : label}
              placeholder="Unlimited"
              min={0}
              allowDecimal={false}
              allowNegative={false}
              thousandSeparator=","
              {...propsOf(name)}
            />
          );
        })}
      </SimpleGrid>
    </>
  );
}
