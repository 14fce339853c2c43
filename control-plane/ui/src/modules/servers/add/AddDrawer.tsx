import { Button, Drawer, Group, Stack, Text } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useState } from 'react';
import { api, unwrap } from '@/api/client';
import type { components } from '@/api/schema';
import { useAction } from '@/lib/forms/useAction';
import { ProblemAlert } from '@/lib/page/ProblemAlert';
import { ServerFields } from '../form/ServerFields';
import { bodyOf, labelsFault, NEW, type ServerValues } from '../form/values';
import { Enrolment } from './Enrolment';

interface Props {
  opened: boolean;
  close: () => void;
}

/** Registers a server, then shows what to paste on its host and waits for the agent. */
export function AddDrawer({ opened, close }: Props) {
  const [made, setMade] = useState<components['schemas']['ServerCreated']>();
  return (
    <Drawer
      opened={opened}
      onClose={close}
      onExitTransitionEnd={() => setMade(undefined)}
      size="lg"
      title={made ? `Connect ${made.server.name}` : 'Add a server'}
      // Its token is shown this once.
      closeOnClickOutside={!made}
    >
      {made ? (
        <Enrolment server={made.server} enrolment={made.enrolment} close={close} />
      ) : (
        <AddForm close={close} done={setMade} />
      )}
    </Drawer>
  );
}

interface FormProps {
  close: () => void;
  done: (made: components['schemas']['ServerCreated']) => void;
}

function AddForm({ close, done }: FormProps) {
  const form = useForm<ServerValues>({ initialValues: NEW, validate: { labels: labelsFault } });
  const action = useAction({
    form,
    run: (values: ServerValues) => unwrap(api.POST('/api/platform/servers', { body: bodyOf(values) })),
    changes: ['server'],
    done,
  });
  return (
    <form onSubmit={form.onSubmit((values) => action.mutate(values))}>
      <Stack gap="md">
        <Text size="sm" c="dimmed">
          Then you get a command to paste on the Proxmox VE host. All of this can be changed later.
        </Text>
        <ServerFields form={form} />
        <ProblemAlert problem={action.problem} />
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={close}>
            Cancel
          </Button>
          <Button type="submit" loading={action.isPending}>
            Add and show the command
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
