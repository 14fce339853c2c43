// Fields to choose by name what pods are made of. They take what Mantine's `getInputProps` gives.
import { Select } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import type { components } from '@/api/schema';
import { gib, mib } from '@/lib/show/units';
import { imagesQuery, plansQuery } from '../pods';

type Plan = components['schemas']['Plan'];

interface Props {
  value?: string;
  onChange: (value: string) => void;
  error?: React.ReactNode;
  label?: string;
  description?: string;
  required?: boolean;
}

function sizeOf(of: { vcpu: number; memory_mib: number; disk_gib: number }): string {
  return `${of.vcpu} vCPU, ${mib(of.memory_mib)}, ${gib(of.disk_gib)}`;
}

/** A plan, by its name. */
export function PlanSelect({ label = 'Plan', required = true, ...rest }: Props) {
  const { data } = useQuery(plansQuery());
  const options = (data ?? []).map((plan) => ({ value: plan.name, label: `${plan.name} – ${aboutPlan(plan)}` }));
  return (
    <Select
      searchable
      data={options}
      label={label}
      required={required}
      {...rest}
      onChange={(value) => rest.onChange(value ?? '')}
    />
  );
}

function aboutPlan(plan: Plan): string {
  return `${sizeOf(plan)}, ${priceOf(plan)} a month`;
}

/** Minor units, as the currency has them. */
export function priceOf({ price_minor, currency }: Plan): string {
  const format = new Intl.NumberFormat('en', { style: 'currency', currency });
  const digits = format.resolvedOptions().maximumFractionDigits ?? 2;
  return format.format(price_minor / 10 ** digits);
}

export function ImageSelect({ label = 'Image', required = true, ...rest }: Props) {
  const { data } = useQuery(imagesQuery());
  const options = (data ?? []).map(({ name, os, tenant_id }) => {
    const about = [os !== name && os, tenant_id && 'own'].filter(Boolean).join(', ');
    return { value: name, label: about ? `${name} – ${about}` : name };
  });
  return (
    <Select
      searchable
      data={options}
      label={label}
      required={required}
      {...rest}
      onChange={(value) => rest.onChange(value ?? '')}
    />
  );
}
