import { Button, Group, Stack, Text } from '@mantine/core';
import { useState } from 'react';
import { api, unwrap } from '@/api/client';
import type { components } from '@/api/schema';
import { useAction } from '@/lib/forms/useAction';
import { ProblemAlert } from '@/lib/page/ProblemAlert';
import type { Server } from '../servers';
import { Enrolment } from './Enrolment';

interface Made {
  server: Server;
  enrolment: components['schemas']['EnrolmentCommand'];
}

/** Makes a new join token, then waits for the agent. */
export function TokenForm({ server, close }: { server: Server; close: () => void }) {
  const [made, setMade] = useState<Made>();
  const action = useAction({
    run: () => unwrap(api.POST('/api/platform/servers/{id}/enrolment-token', { params: { path: { id: server.id } } })),
    done: (enrolment) => setMade({ server, enrolment }),
  });
  if (made) return <Enrolment server={made.server} enrolment={made.enrolment} close={close} />;
  return (
    <Stack gap="md">
      <Text size="sm">
        For a host that was installed anew, or whose agent lost its identity. Tokens made before and not used are void;
        an agent that is connected stays so until the new one comes.
      </Text>
      <ProblemAlert problem={action.problem} />
      <Group justify="flex-end" gap="xs">
        <Button variant="default" onClick={close}>
          Cancel
        </Button>
        <Button loading={action.isPending} onClick={() => action.mutate()}>
          Make a new token
        </Button>
      </Group>
    </Stack>
  );
}
