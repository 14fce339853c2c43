import { Button, Group, Stack, Text } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useState } from 'react';
import { api, ifMatch, unwrap } from '@/api/client';
import { useAction } from '@/lib/forms/useAction';
import { ProblemAlert } from '@/lib/page/ProblemAlert';
import { serverRoute } from '../routes';
import type { Server } from '../servers';
import { ServerFields } from './ServerFields';
import { changesOf, labelsFault, type ServerValues, valuesOf } from './values';

interface Props {
  server: Server;
  close: () => void;
}

export function EditForm({ server, close }: Props) {
  const [loads, setLoads] = useState(0);
  return <Fields key={loads} server={server} close={close} theirs={() => setLoads(loads + 1)} />;
}

function Fields({ server, close, theirs }: Props & { theirs: () => void }) {
  // As it was when it was opened: what events bring meanwhile is not what was edited.
  const [before] = useState(server);
  const navigate = serverRoute.useNavigate();
  const form = useForm<ServerValues>({ initialValues: valuesOf(before), validate: { labels: labelsFault } });
  const action = useAction({
    form,
    run: (values: ServerValues) =>
      unwrap(
        api.PATCH('/api/platform/servers/{id}', {
          params: { path: { id: before.id } },
          headers: ifMatch(before.version),
          body: changesOf(valuesOf(before), values),
        }),
      ),
    changes: ['server'],
    theirs,
    done: ({ name }) =>
      name === before.name
        ? close()
        : void navigate({ to: '/servers/$server', params: { server: name }, replace: true }),
  });
  const save = (values: ServerValues) => (form.isDirty() ? action.mutate(values) : close());
  return (
    <form onSubmit={form.onSubmit(save)}>
      <Stack gap="md">
        <Text size="sm" c="dimmed">
          What is changed counts for pods to come; what runs is not touched.
        </Text>
        <ServerFields form={form} server={before} />
        <ProblemAlert problem={action.problem} />
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={close}>
            Cancel
          </Button>
          <Button type="submit" loading={action.isPending}>
            Save
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
