import { Button, Group, SimpleGrid, Skeleton, Text } from '@mantine/core';
import { IconAlertTriangle, IconKey, IconShieldOff } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { api, unwrap } from '@/api/client';
import { useCan } from '@/api/me';
import { confirm } from '@/lib/confirm/confirm';
import { ProblemAlert } from '@/lib/page/ProblemAlert';
import { Section } from '@/lib/page/Section';
import { Pill } from '@/lib/pills/Pill';
import { ConnectionPill } from '@/lib/pills/pills';
import { Time } from '@/lib/show/Time';
import { number } from '@/lib/show/units';
import { serverRoute } from '../routes';
import { endpointQuery, type Server } from '../servers';
import { askRevoke } from '../status/ask';
import { Facts } from './Facts';

/** How it is spoken with: its agent, its identity, and where other clusters send VMs to. */
export function Agent({ server }: { server: Server }) {
  const can = useCan();
  const navigate = serverRoute.useNavigate();
  const { connection, host, generation, lost_at } = server;
  return (
    <SimpleGrid cols={{ base: 1, md: 2 }} spacing="md">
      <Section
        title="Agent"
        beside={<ConnectionPill state={connection.state} />}
        actions={
          can('servers:write') && (
            <Group gap="xs">
              <Button
                size="xs"
                variant="default"
                leftSection={<IconKey aria-hidden size={15} />}
                onClick={() => void navigate({ search: (before) => ({ ...before, open: 'token' }) })}
              >
                New enrolment token
              </Button>
              <Button
                size="xs"
                variant="default"
                leftSection={<IconShieldOff aria-hidden size={15} />}
                onClick={() => askRevoke(server)}
              >
                Revoke
              </Button>
            </Group>
          )
        }
      >
        <Facts
          facts={[
            ['Version', host.agent_version],
            ['In this state', <Time key="since" at={connection.since} />],
            ['Last heard', connection.last_seen_at ? <Time key="seen" at={connection.last_seen_at} /> : 'Never'],
            ['Sessions', number(connection.session_epoch)],
            ['Machine', host.machine_id],
            ['Boot', host.boot_id],
            ['Declared lost', lost_at ? <Time key="lost" at={lost_at} /> : generation > 0 ? 'Back since' : 'Never'],
            [
              'Proxmox answers',
              host.proxmox_silent_since ? (
                <>
                  Not since <Time at={host.proxmox_silent_since} />
                </>
              ) : (
                'Yes'
              ),
            ],
          ]}
        />
      </Section>
      <Certificate server={server} />
      <Endpoint server={server} />
    </SimpleGrid>
  );
}

/** So long before its end the agent should have had it renewed several times over. */
const ENDS_SOON_MS = 4 * 3_600_000;

function Certificate({ server: { certificate, host } }: { server: Server }) {
  const left = certificate ? Date.parse(certificate.not_after) - Date.now() : 0;
  return (
    <Section
      title="Certificate"
      about="By which the agent is known; it is short-lived, and the agent has it renewed by itself"
      beside={
        certificate &&
        left < ENDS_SOON_MS && (
          <Pill tone={left > 0 ? 'warn' : 'bad'} icon={IconAlertTriangle}>
            {left > 0 ? 'Ends soon' : 'Has ended'}
          </Pill>
        )
      }
    >
      {certificate ? (
        <Facts
          facts={[
            ['Serial number', <code key="serial">{certificate.serial}</code>],
            ['Issued', <Time key="issued" at={certificate.issued_at} />],
            ['Good until', <Time key="until" at={certificate.not_after} />],
          ]}
        />
      ) : (
        <Text size="sm">None that is good: give the host a new enrolment token.</Text>
      )}
      {certificate && left < ENDS_SOON_MS && (
        <Text size="sm">
          {left > 0
            ? 'See that the agent runs and reaches the control plane: it renews its certificate then. '
            : 'The agent is refused with it: give the host a new enrolment token. '}
          {host.agent_version && <code>systemctl status mpanel-agent</code>}
        </Text>
      )}
    </Section>
  );
}

function Endpoint({ server }: { server: Server }) {
  const can = useCan();
  const navigate = serverRoute.useNavigate();
  const query = useQuery(endpointQuery(server.id));
  const endpoint = query.data;
  const remove = () =>
    confirm({
      title: 'Remove the migration endpoint?',
      children: `No VM of another cluster goes to ${server.name} any more; those under way arrive. Its token is forgotten.`,
      label: 'Remove',
      isDanger: true,
      changes: ['server'],
      run: () =>
        unwrap(api.DELETE('/api/platform/servers/{id}/migration-endpoint', { params: { path: { id: server.id } } })),
    });
  return (
    <Section
      title="Migration endpoint"
      about="Where hosts of other Proxmox clusters send VMs to when they go to this server"
      actions={
        can('servers:write') &&
        query.isSuccess && (
          <Group gap="xs">
            <Button
              size="xs"
              variant="default"
              onClick={() => void navigate({ search: (before) => ({ ...before, open: 'endpoint' }) })}
            >
              {endpoint ? 'Replace' : 'Set'}
            </Button>
            {endpoint && (
              <Button size="xs" variant="default" onClick={remove}>
                Remove
              </Button>
            )}
          </Group>
        )
      }
    >
      {query.isPending && <Skeleton h={80} aria-busy="true" aria-label="Loading" />}
      <ProblemAlert problem={query.error} retry={() => void query.refetch()} />
      {endpoint && (
        <Facts
          facts={[
            ['Proxmox API', `${endpoint.host}:${endpoint.port}`],
            ['Fingerprint', <code key="print">{endpoint.fingerprint}</code>],
            ['Token', 'Kept sealed, not shown'],
            ['Set', <Time key="set" at={endpoint.updated_at} />],
          ]}
        />
      )}
      {endpoint === null && (
        <Text size="sm" c="dimmed">
          None: pods of other clusters cannot be moved here.
        </Text>
      )}
    </Section>
  );
}
