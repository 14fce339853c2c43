import { Button, Group, Skeleton, Stack } from '@mantine/core';
import { useForm } from '@mantine/form';
import { notifications } from '@mantine/notifications';
import { useQuery } from '@tanstack/react-query';
import { api, ifMatch, unwrap } from '@/api/client';
import { useCan } from '@/api/me';
import type { components } from '@/api/schema';
import { confirm } from '@/lib/confirm/confirm';
import { TheirsAlert } from '@/lib/forms/TheirsAlert';
import { useAction } from '@/lib/forms/useAction';
import { useTheirs } from '@/lib/forms/useTheirs';
import { ProblemAlert } from '@/lib/page/ProblemAlert';
import { Facts } from '@/lib/show/Facts';
import { type Profile, profileQuery } from './customers';
import { ProfileFields } from './profile';

type Customer = components['schemas']['Customer'];

export function ProfilePart({ id }: { id: string }) {
  const query = useQuery(profileQuery(id));
  const can = useCan();
  if (query.isPending) return <Skeleton h={300} />;
  if (!query.data) return <ProblemAlert problem={query.error} retry={() => void query.refetch()} />;
  return can('customers:write') ? <Form customer={query.data} /> : <Known profile={query.data.profile} />;
}

function Known({ profile }: { profile: Profile }) {
  const { company, contact, phone, address, country, tax_number, note } = profile;
  const facts = { Company: company, Contact: contact, Phone: phone, Address: address, Country: country };
  const all = { ...facts, 'Tax number': tax_number, Note: note };
  return <Facts facts={Object.entries(all).map(([title, value]) => ({ title, value }))} />;
}

function Form({ customer }: { customer: Customer }) {
  const { tenant_id, name, version, profile } = customer;
  const form = useForm<Profile>({ initialValues: profile });
  const theirs = useTheirs(form, customer, (one) => one.profile);
  const params = { path: { tenant_id } };
  const action = useAction({
    form,
    run: (body: Profile) => {
      const headers = ifMatch(theirs.version);
      return unwrap(api.PATCH('/api/admin/customers/{tenant_id}', { params, headers, body }));
    },
    changes: ['customer'],
    theirs: theirs.load,
    done: () => {
      theirs.load();
      notifications.show({ color: 'green', title: 'The profile is saved', message: name });
    },
  });
  const remove = () =>
    confirm({
      title: `Delete the profile of ${name}`,
      children: 'What is written here is lost. The tenant, its people and its CloudPods stay.',
      label: 'Delete the profile',
      typed: name,
      isDanger: true,
      changes: ['customer'],
      run: () => unwrap(api.DELETE('/api/admin/customers/{tenant_id}', { params, headers: ifMatch(version) })),
    });
  return (
    <form onSubmit={form.onSubmit((values) => action.mutate(values))}>
      <Stack gap="sm">
        <TheirsAlert theirs={theirs} />
        <ProfileFields form={form} />
        <ProblemAlert problem={action.problem} />
        <Group justify="space-between">
          <Button type="submit" loading={action.isPending} disabled={!form.isDirty()}>
            Save the profile
          </Button>
          {version > 0 && (
            <Button variant="subtle" color="red" onClick={remove}>
              Delete the profile
            </Button>
          )}
        </Group>
      </Stack>
    </form>
  );
}
