// Fields to choose by name what pods are made of. They take what Mantine's `getInputProps` gives.
import { Autocomplete, Select } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useCan } from '@/api/me';
import { gib, mib } from '@/lib/show/units';
import { imagesQuery, plansQuery, podsQuery } from '../pods';

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

/** A plan's name. Plans are listed to staff; others type one, and are offered those that they use already. */
export function PlanSelect({ label = 'Plan', required = true, ...rest }: Props) {
  const can = useCan();
  return can('plans:read') ? (
    <ListedPlans label={label} required={required} {...rest} />
  ) : (
    <KnownPlans label={label} required={required} {...rest} />
  );
}

function ListedPlans(props: Props) {
  const { data } = useQuery(plansQuery());
  const options = (data ?? []).map((plan) => ({ value: plan.name, label: `${plan.name} – ${sizeOf(plan)}` }));
  return <Select searchable data={options} {...props} onChange={(value) => props.onChange(value ?? '')} />;
}

function KnownPlans({ description = 'Its name, as you were told it', ...props }: Props) {
  const { data } = useQuery(podsQuery({ limit: 200 }));
  const names = new Set(data?.items.map(({ plan }) => plan.name));
  return <Autocomplete data={[...names]} maxLength={63} description={description} {...props} />;
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
