import { Button, Stack, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useNavigate } from '@tanstack/react-router';
import { api, ifMatch, unwrap } from '@/api/client';
import { TheirsAlert } from '@/lib/forms/TheirsAlert';
import { useAction } from '@/lib/forms/useAction';
import { useTheirs } from '@/lib/forms/useTheirs';
import { ProblemAlert } from '@/lib/page/ProblemAlert';
import { type Common, commonOf, PoolFields } from './PoolFields';
import type { IpPool } from './pools';

interface Values extends Common {
  last: string;
}

function valuesOf({ name, last, gateway, dns, bridge, vlan, region, active, public: isPublic }: IpPool): Values {
  const place = { bridge: bridge ?? '', vlan: vlan ?? '', region: region ?? '' };
  return { name, last, gateway, dns, ...place, active, public: isPublic };
}

export function PoolEdit({ pool }: { pool: IpPool }) {
  const navigate = useNavigate();
  const form = useForm<Values>({ initialValues: valuesOf(pool) });
  const theirs = useTheirs(form, pool, valuesOf);
  const action = useAction({
    form,
    run: ({ last, ...common }: Values) =>
      unwrap(
        api.PATCH('/api/platform/ip-pools/{id}', {
          params: { path: { id: pool.id } },
          headers: ifMatch(theirs.version),
          body: { last, ...commonOf(common) },
        }),
      ),
    changes: ['ip_pool'],
    theirs: theirs.load,
    // Its address is its name, which may be another one now.
    done: ({ name }) => void navigate({ to: '/settings/ip-pools/$pool', params: { pool: name }, replace: true }),
  });
  return (
    <form onSubmit={form.onSubmit((values) => action.mutate(values))}>
      <Stack gap="sm">
        <TheirsAlert theirs={theirs} />
        <TextInput label="Name" required data-autofocus {...form.getInputProps('name')} />
        <TextInput
          label="Last"
          description={`The first, ${pool.first}, cannot change: make another pool instead`}
          required
          {...form.getInputProps('last')}
        />
        <PoolFields form={form} />
        <ProblemAlert problem={action.problem} />
        <Button type="submit" loading={action.isPending} disabled={!form.isDirty()}>
          Save
        </Button>
      </Stack>
    </form>
  );
}
