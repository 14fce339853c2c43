import { Button, Group, Stack } from '@mantine/core';
import { useForm } from '@mantine/form';
import { api, ifMatch, unwrap } from '@/api/client';
import { useCan } from '@/api/me';
import { confirm } from '@/lib/confirm/confirm';
import { TheirsAlert } from '@/lib/forms/TheirsAlert';
import { useAction } from '@/lib/forms/useAction';
import { useTheirs } from '@/lib/forms/useTheirs';
import { ProblemAlert } from '@/lib/page/ProblemAlert';
import { ImageFields } from './ImageFields';
import type { Image } from './images';
import { bodyOf, EMPTY, faults, type Values, valuesOf } from './imageValues';

export function ImageAdd({ close }: { close: () => void }) {
  const form = useForm<Values>({ initialValues: EMPTY, validate: faults });
  const action = useAction({
    form,
    run: (values: Values) => unwrap(api.POST('/api/platform/images', { body: bodyOf(values) })),
    changes: ['image'],
    done: close,
  });
  return (
    <form onSubmit={form.onSubmit((values) => action.mutate(values))}>
      <Stack gap="sm">
        <ImageFields form={form} />
        <ProblemAlert problem={action.problem} />
        <Button type="submit" loading={action.isPending}>
          Add the image
        </Button>
      </Stack>
    </form>
  );
}

export function ImageEdit({ image, close }: { image: Image; close: () => void }) {
  const { id, name, version } = image;
  const mayWrite = useCan()('images:write');
  const form = useForm<Values>({ initialValues: valuesOf(image), validate: faults });
  const theirs = useTheirs(form, image, valuesOf);
  const params = { path: { id } };
  const action = useAction({
    form,
    run: (values: Values) => {
      const headers = ifMatch(theirs.version);
      return unwrap(api.PATCH('/api/platform/images/{id}', { params, headers, body: bodyOf(values) }));
    },
    changes: ['image'],
    theirs: theirs.load,
    done: close,
  });
  const remove = () =>
    confirm({
      title: `Delete the image ${name}`,
      children:
        'Only an image that no CloudPod is made of can be deleted; the templates stay on their servers. Make it ' +
        'inactive to offer it no longer.',
      label: 'Delete the image',
      typed: name,
      isDanger: true,
      changes: ['image'],
      run: () => unwrap(api.DELETE('/api/platform/images/{id}', { params, headers: ifMatch(version) })),
      done: close,
    });
  return (
    <form onSubmit={form.onSubmit((values) => action.mutate(values))}>
      <Stack gap="sm">
        <TheirsAlert theirs={theirs} />
        <ImageFields form={form} readOnly={!mayWrite} />
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
