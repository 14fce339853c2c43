import { Button, Group, Stack, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { notifications } from '@mantine/notifications';
import { api, ifMatch, unwrap } from '@/api/client';
import { useCan } from '@/api/me';
import { TheirsAlert } from '@/lib/forms/TheirsAlert';
import { useAction } from '@/lib/forms/useAction';
import { useTheirs } from '@/lib/forms/useTheirs';
import { ProblemAlert } from '@/lib/page/ProblemAlert';
import { Section } from '@/lib/page/Section';
import { Facts } from '@/lib/show/Facts';
import { TenantContact, TenantRegion } from './TenantFields';
import type { Tenant } from './tenants';

interface Values {
  name: string;
  contact_email: string;
  default_region: string;
}

function valuesOf({ name, contact_email, default_region }: Tenant): Values {
  return { name, contact_email: contact_email ?? '', default_region: default_region ?? '' };
}

export function TenantSettings({ tenant }: { tenant: Tenant }) {
  const can = useCan();
  const { contact_email, default_region } = tenant;
  return (
    <Section title="Settings">
      {can('tenants:write') ? (
        <Form tenant={tenant} />
      ) : (
        <Facts
          facts={[
            { title: 'E-mail address', value: contact_email ?? 'Its owners’' },
            { title: 'Region', value: default_region ?? 'Any' },
          ]}
        />
      )}
    </Section>
  );
}

function Form({ tenant }: { tenant: Tenant }) {
  const can = useCan();
  const mayRename = can('tenants:manage');
  const form = useForm<Values>({ initialValues: valuesOf(tenant) });
  const theirs = useTheirs(form, tenant, valuesOf);
  const action = useAction({
    form,
    run: ({ name, contact_email, default_region }: Values) => {
      const settings = { contact_email: contact_email || null, default_region: default_region || null };
      return unwrap(
        api.PATCH('/api/admin/tenants/{id}', {
          params: { path: { id: tenant.id } },
          headers: ifMatch(theirs.version),
          body: mayRename ? { name, ...settings } : settings,
        }),
      );
    },
    changes: ['tenant', 'quota', 'customer'],
    theirs: theirs.load,
    done: ({ name }) => {
      theirs.load();
      notifications.show({ color: 'green', title: 'The settings are saved', message: name });
    },
  });
  return (
    <form onSubmit={form.onSubmit((values) => action.mutate(values))}>
      <Stack gap="sm" maw={420}>
        <TheirsAlert theirs={theirs} />
        {mayRename && <TextInput label="Name" required maxLength={100} {...form.getInputProps('name')} />}
        <TenantContact {...form.getInputProps('contact_email')} />
        <TenantRegion {...form.getInputProps('default_region')} />
        <ProblemAlert problem={action.problem} />
        <Group>
          <Button type="submit" loading={action.isPending} disabled={!form.isDirty()}>
            Save
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
