import { Button, Group, Stack } from '@mantine/core';
import { useForm } from '@mantine/form';
import { api, ifMatch, unwrap } from '@/api/client';
import { useCan } from '@/api/me';
import { confirm } from '@/lib/confirm/confirm';
import { TheirsAlert } from '@/lib/forms/TheirsAlert';
import { useAction } from '@/lib/forms/useAction';
import { useTheirs } from '@/lib/forms/useTheirs';
import { ProblemAlert } from '@/lib/page/ProblemAlert';
import { bodyOf, EMPTY, faults, PlanFields, type Values, valuesOf } from './PlanFields';
import type { Plan } from './plans';

export function PlanAdd({ close }: { close: () => void }) {
  const form = useForm<Values>({ initialValues: EMPTY, validate: faults });
  const action = useAction({
    form,
    run: (values: Values) => unwrap(api.POST('/api/platform/plans', { body: bodyOf(values) })),
    changes: ['plan'],
    done: close,
  });
  return (
    <form onSubmit={form.onSubmit((values) => action.mutate(values))}>
      <Stack gap="sm">
        <PlanFields form={form} />
        <ProblemAlert problem={action.problem} />
        <Button type="submit" loading={action.isPending}>
          Add the plan
        </Button>
      </Stack>
    </form>
  );
}

export function PlanEdit({ plan, close }: { plan: Plan; close: () => void }) {
  const { id, name, version } = plan;
  const mayWrite = useCan()('plans:write');
  const form = useForm<Values>({ initialValues: valuesOf(plan), validate: faults });
  const theirs = useTheirs(form, plan, valuesOf);
  const params = { path: { id } };
  const action = useAction({
    form,
    run: (values: Values) => {
      const headers = ifMatch(theirs.version);
      return unwrap(api.PATCH('/api/platform/plans/{id}', { params, headers, body: bodyOf(values) }));
    },
    changes: ['plan'],
    theirs: theirs.load,
    done: close,
  });
  const remove = () =>
    confirm({
      title: `Delete the plan ${name}`,
      children: 'Only a plan that no CloudPod is made of can be deleted. Make it inactive to offer it no longer.',
      label: 'Delete the plan',
      typed: name,
      isDanger: true,
      changes: ['plan'],
      run: () => unwrap(api.DELETE('/api/platform/plans/{id}', { params, headers: ifMatch(version) })),
      done: close,
    });
  return (
    <form onSubmit={form.onSubmit((values) => action.mutate(values))}>
      <Stack gap="sm">
        <TheirsAlert theirs={theirs} />
        <PlanFields form={form} readOnly={!mayWrite} />
        <ProblemAlert problem={action.problem} />
        {mayWrite && (
          <Group justify="space-between">
            <Button type="submit" loading={action.isPending} disabled={!form.isDirty()}>
              Save
            </Button>
            <Button variant="subtle" color="red" onClick={remove}>
              Delete
            </Button>
          </Group>
        )}
      </Stack>
    </form>
  );
}
