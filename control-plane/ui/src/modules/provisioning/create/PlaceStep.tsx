import { MultiSelect, Select, SimpleGrid, Skeleton, Stack, Switch, TagsInput, Text, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { IconBan, IconTarget } from '@tabler/icons-react';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { api, unwrap } from '@/api/client';
import { key } from '@/api/keys';
import { useCan, useScope } from '@/api/me';
import { upper } from '@/lib/forms/fields';
import { ProblemAlert } from '@/lib/page/ProblemAlert';
import { Section } from '@/lib/page/Section';
import { Pill } from '@/lib/pills/Pill';
import { ServerSelect } from '@/modules/servers/ServerSelect';
import { tenantQuery } from '@/modules/settings/tenants/tenants';
import { regionsQuery } from '../pods';
import type { CreateFormState } from './useCreateForm';
import { placementOf } from './values';
import { WhyHere } from './WhyHere';

const TYPING_MS = 400;

export function PlaceStep({ form }: { form: CreateFormState }) {
  const can = useCan();
  return (
    <Stack gap="sm">
      <Text size="sm">What is left empty is chosen by where it fits best.</Text>
      <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="sm">
        <Region form={form} />
        {can('servers:read') && <StaffFields form={form} />}
        {can('ip_pools:read') && <Pools form={form} />}
      </SimpleGrid>
      <Switch
        label="Never beside another CloudPod of its tenant"
        description="So that one server's failure takes one of them at most"
        {...form.getInputProps('placement.anti_affinity', { type: 'checkbox' })}
      />
      {can('servers:read') ? <Preview form={form} /> : <Fit form={form} />}
    </Stack>
  );
}

/** Left out, it is the tenant's own, where that has one. */
function Region({ form }: { form: CreateFormState }) {
  const can = useCan();
  const { tenant } = useScope();
  const whose = form.values.tenant_id || tenant;
  const { data: regions } = useQuery(regionsQuery());
  const { data: owner } = useQuery({ ...tenantQuery(whose ?? ''), enabled: Boolean(whose) && can('tenants:read') });
  return (
    <Select
      label="Region"
      placeholder={owner?.default_region ? `The tenant's own: ${owner.default_region}` : 'Any'}
      clearable
      searchable
      data={regions ?? []}
      {...form.getInputProps('placement.region')}
      value={form.values.placement.region || null}
      onChange={(region) => form.setFieldValue('placement.region', region ?? '')}
    />
  );
}

function StaffFields({ form }: { form: CreateFormState }) {
  return (
    <>
      <ServerSelect
        by="id"
        label="Server"
        placeholder="Any"
        {...form.getInputProps('placement.server')}
        value={form.values.placement.server || null}
        onChange={(server) => form.setFieldValue('placement.server', server ?? '')}
      />
      <TextInput label="Storage" placeholder="Any" {...form.getInputProps('placement.storage')} />
      <TagsInput label="Servers with these labels" placeholder="key=value" {...form.getInputProps('labels')} />
    </>
  );
}

function Pools({ form }: { form: CreateFormState }) {
  const { data } = useQuery({
    queryKey: key('ip_pool', 'offered'),
    queryFn: ({ signal }) => unwrap(api.GET('/api/platform/ip-pools', { params: { query: { limit: 200 } }, signal })),
  });
  const pools = (data?.items ?? []).filter((pool) => pool.active);
  return (
    <MultiSelect
      label="Address pools"
      placeholder={form.values.ip_pools.length === 0 ? "As the region's public pools allow" : undefined}
      searchable
      clearable
      data={pools.map(({ id, name, free }) => ({ value: id, label: `${name} – ${free} free` }))}
      {...form.getInputProps('ip_pools')}
    />
  );
}

/** Whether it would fit, for whom servers are not shown. */
function Fit({ form }: { form: CreateFormState }) {
  const { plan, image } = form.values;
  const [placement] = useDebouncedValue(JSON.stringify(placementOf(form.values)), TYPING_MS);
  const { data, error, isPending } = useQuery({
    queryKey: key('server', 'placement-preview', { plan, image, placement }),
    queryFn: ({ signal }) =>
      unwrap(
        api.POST('/api/provisioning/placement-preview', {
          body: { plan, image, placement: JSON.parse(placement) as ReturnType<typeof placementOf> },
          signal,
        }),
      ),
    placeholderData: keepPreviousData,
    staleTime: 5_000,
  });
  return (
    <Section
      title="Whether it fits"
      beside={
        data &&
        !error && (
          <Pill tone={data.fits ? 'good' : 'bad'} icon={data.fits ? IconTarget : IconBan}>
            {data.region ?? 'Not at present'}
          </Pill>
        )
      }
      about="As things are now; nothing is reserved"
    >
      {isPending && <Skeleton h={24} />}
      <ProblemAlert problem={error} />
      {data && !error && <Text size="sm">{upper(data.reason)}.</Text>}
    </Section>
  );
}

/** Where it would go at present, and why there. Nothing is reserved. */
function Preview({ form }: { form: CreateFormState }) {
  const { plan, image, tenant_id } = form.values;
  const [placement] = useDebouncedValue(JSON.stringify(placementOf(form.values)), TYPING_MS);
  const { data, error, isPending } = useQuery({
    queryKey: key('server', 'placement-preview', { plan, image, tenant_id, placement }),
    queryFn: ({ signal }) =>
      unwrap(
        api.POST('/api/platform/provisioning/placement-preview', {
          params: { query: tenant_id ? { tenant_id } : {} },
          body: { plan, image, placement: JSON.parse(placement) as ReturnType<typeof placementOf> },
          signal,
        }),
      ),
    placeholderData: keepPreviousData,
    staleTime: 5_000,
  });
  return (
    <Section
      title="Where it would go"
      beside={
        data &&
        !error &&
        (data.server ? (
          <Pill tone="good" icon={IconTarget}>
            {data.server.name}, {data.storage}
          </Pill>
        ) : (
          <Pill tone="bad" icon={IconBan}>
            Nowhere
          </Pill>
        ))
      }
      about="As things are now; nothing is reserved"
    >
      {isPending && <Skeleton h={60} />}
      <ProblemAlert problem={error} />
      {data && !error && <WhyHere explanation={data.explanation} />}
    </Section>
  );
}
