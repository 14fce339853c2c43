import { Alert, Anchor, Button, Group, List, Loader, Stack, Text } from '@mantine/core';
import { IconCircleCheck } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { components } from '@/api/schema';
import { ProblemAlert } from '@/lib/page/ProblemAlert';
import { Secret } from '@/lib/show/Secret';
import { Time } from '@/lib/show/Time';
import { mib } from '@/lib/show/units';
import { type Server, serverQuery } from '../servers';

interface Props {
  /** As it was when the token was made. */
  server: Server;
  enrolment: components['schemas']['EnrolmentCommand'];
  close: () => void;
}

/** What to paste on the host; turns green when its agent has come. */
export function Enrolment({ server, enrolment, close }: Props) {
  const query = useQuery({ ...serverQuery(server.id), initialData: server });
  const now = query.data;
  // Each session that an agent begins counts one further.
  const isHere = now.connection.session_epoch > server.connection.session_epoch && now.connection.state === 'online';
  return (
    <Stack gap="md">
      <Text size="sm">
        Paste this on the Proxmox VE host, as root. It gives its agent its identity. The token in it works once and
        expires <Time at={enrolment.expires_at} />.
      </Text>
      <Secret value={enrolment.command} label="Command to enrol the agent" />
      <div role="status">
        {isHere ? (
          <Alert color="green" icon={<IconCircleCheck aria-hidden />} title={`${now.name} is connected`}>
            {told(now)}
          </Alert>
        ) : (
          <Alert color="gray" icon={<Loader size={18} aria-hidden />} title="Waiting for its agent">
            This turns green by itself. Nothing comes? On the host:
            <List size="sm" mt={4}>
              <List.Item>
                <code>systemctl status mpanel-agent</code> says whether it runs
              </List.Item>
              <List.Item>
                <code>journalctl -u mpanel-agent</code> says what it meets
              </List.Item>
              <List.Item>
                it has to reach <code>{enrolment.control_plane}</code>
              </List.Item>
            </List>
          </Alert>
        )}
      </div>
      <ProblemAlert problem={query.error} title="Whether it has come is not known" />
      <Text size="xs" c="dimmed">
        The agent takes the control plane only with the certificate authority{' '}
        <code style={{ overflowWrap: 'anywhere' }}>{enrolment.ca_sha256}</code>.
      </Text>
      <Group justify="flex-end" gap="xs">
        <Anchor
          size="sm"
          renderRoot={(props) => <Link to="/servers/$server" params={{ server: now.name }} {...props} />}
          onClick={close}
        >
          Go to {now.name}
        </Anchor>
        <Button variant={isHere ? 'filled' : 'default'} onClick={close}>
          {isHere ? 'Done' : 'Close'}
        </Button>
      </Group>
    </Stack>
  );
}

function told({ host }: Server): string {
  const parts = [
    host.agent_version && `Agent ${host.agent_version}`,
    host.pve_version && `Proxmox VE ${host.pve_version}`,
    host.cpu_threads && `${host.cpu_threads} threads`,
    host.memory_mib && mib(host.memory_mib),
  ].filter(Boolean);
  return parts.length > 0 ? `${parts.join(', ')}.` : 'It is about to tell what its host has.';
}
