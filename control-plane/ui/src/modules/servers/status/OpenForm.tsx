import { Button, Checkbox, Group, Stack, Text, TextInput } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { type FormEvent, useState } from 'react';
import { api, unwrap } from '@/api/client';
import { useAction } from '@/lib/forms/useAction';
import { ProblemAlert } from '@/lib/page/ProblemAlert';
import { serverRoute } from '../routes';
import type { Drain, Server } from '../servers';

interface Props {
  server: Server;
  drain?: Drain;
  close: () => void;
}

/** Lets new pods be placed on it again, and brings back what a drain moved away if one likes. */
export function OpenForm({ server, drain, close }: Props) {
  const [reason, setReason] = useState('');
  const [fill_back, setFillBack] = useState(false);
  const navigate = serverRoute.useNavigate();
  const moved = drain?.kind === 'drain' ? drain.counts.moved : 0;
  const action = useAction({
    run: () =>
      unwrap(
        api.POST('/api/platform/servers/{id}/status', {
          params: { path: { id: server.id } },
          body: { status: 'online', reason, fill_back },
        }),
      ),
    changes: ['server', 'drain'],
    done: ({ detail, drain: begun }) => {
      notifications.show({ title: `${server.name} is open`, message: detail, color: 'green' });
      void navigate({ search: begun ? { tab: 'drain' } : ({ open: _, ...rest }) => rest });
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    action.mutate();
  };
  return (
    <form onSubmit={submit}>
      <Stack gap="sm">
        <Text size="sm">
          New pods may be placed on it.
          {server.scheduling.state === 'draining' && ' Its drain is cancelled; moves that are under way end.'}
        </Text>
        {moved > 0 && (
          <Checkbox
            label={`Bring back the ${moved === 1 ? 'pod' : `${moved} pods`} that the last drain moved away`}
            description="One by one, as far as there is room"
            checked={fill_back}
            onChange={(event) => setFillBack(event.currentTarget.checked)}
          />
        )}
        <TextInput
          label="Reason"
          description="Kept in the audit"
          maxLength={500}
          value={reason}
          onChange={(event) => setReason(event.currentTarget.value)}
        />
        <ProblemAlert problem={action.problem} />
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={close}>
            Cancel
          </Button>
          <Button type="submit" loading={action.isPending} data-autofocus>
            Open {server.name}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
