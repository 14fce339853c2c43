import { Group, Radio, SimpleGrid, Skeleton, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useCan } from '@/api/me';
import { TenantSelect } from '@/frame/TenantSelect';
import { ProblemAlert } from '@/lib/page/ProblemAlert';
import { gib, mib } from '@/lib/show/units';
import { imagesQuery, plansQuery } from '../pods';
import { ImageSelect, PlanSelect, priceOf } from './selects';
import type { CreateFormState } from './useCreateForm';
import classes from './WhatStep.module.css';

/** More than so many are chosen from a list. */
const CARDS_MAX = 12;

interface Props {
  form: CreateFormState;
  choosesTenant: boolean;
}

export function WhatStep({ form, choosesTenant }: Props) {
  return (
    <Stack gap="md">
      {choosesTenant && <TenantSelect label="Tenant" required {...form.getInputProps('tenant_id')} />}
      <Plans form={form} />
      <Images form={form} tenant={form.values.tenant_id} />
    </Stack>
  );
}

function Plans({ form }: { form: Props['form'] }) {
  const can = useCan();
  const { data, error, refetch } = useQuery(plansQuery());
  if (error) return <ProblemAlert problem={error} retry={() => void refetch()} />;
  if (!data) return <Skeleton h={90} />;
  if (data.length > CARDS_MAX) return <PlanSelect {...form.getInputProps('plan')} />;
  return (
    <Radio.Group label="Plan" required {...form.getInputProps('plan')}>
      <SimpleGrid cols={{ base: 1, xs: 2, md: 3 }} spacing="xs" mt={6}>
        {data.map((plan) => (
          <Card key={plan.id} value={plan.name}>
            {plan.vcpu} vCPU, {mib(plan.memory_mib)}, {gib(plan.disk_gib)}
            <br />
            {priceOf(plan)} a month
            {plan.traffic_gib != null && `, ${gib(plan.traffic_gib)} of traffic`}
          </Card>
        ))}
      </SimpleGrid>
      {data.length === 0 && (
        <Text size="sm">
          No plan is offered{can('plans:write') ? ': make one in the settings first' : ' at present'}.
        </Text>
      )}
    </Radio.Group>
  );
}

function Images({ form, tenant }: { form: Props['form']; tenant: string }) {
  const { data, error, refetch } = useQuery(imagesQuery(tenant || undefined));
  if (error) return <ProblemAlert problem={error} retry={() => void refetch()} />;
  if (!data) return <Skeleton h={90} />;
  if (data.length > CARDS_MAX) return <ImageSelect {...form.getInputProps('image')} />;
  return (
    <Radio.Group label="Image" required {...form.getInputProps('image')}>
      <SimpleGrid cols={{ base: 1, xs: 2, md: 3 }} spacing="xs" mt={6}>
        {data.map(({ id, name, os, tenant_id, default_user, min_disk_gib }) => (
          <Card key={id} value={name}>
            {[os, tenant_id && 'own image'].filter(Boolean).join(', ')}
            <br />
            user {default_user}
            {min_disk_gib > 0 && `, from ${gib(min_disk_gib)} of disk`}
          </Card>
        ))}
      </SimpleGrid>
      {data.length === 0 && <Text size="sm">There is no image to make one of.</Text>}
    </Radio.Group>
  );
}

function Card({ value, children }: { value: string; children: ReactNode }) {
  return (
    <Radio.Card value={value} p="sm" className={classes.card}>
      <Group gap="sm" wrap="nowrap" align="flex-start">
        <Radio.Indicator size="sm" mt={1} />
        <div>
          <Text fw={600} size="sm">
            {value}
          </Text>
          <Text size="xs" c="dimmed" component="div">
            {children}
          </Text>
        </div>
      </Group>
    </Radio.Card>
  );
}
