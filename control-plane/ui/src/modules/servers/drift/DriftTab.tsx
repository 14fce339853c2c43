import { Button, Checkbox, Group, Stack, Text } from '@mantine/core';
import { IconAlertTriangle, IconCheck, IconHourglassHigh } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useCan } from '@/api/me';
import { type Column, List } from '@/lib/list/List';
import { EmptyState } from '@/lib/page/EmptyState';
import { Pill } from '@/lib/pills/Pill';
import { Time } from '@/lib/show/Time';
import { serverRoute } from '../routes';
import type { Server } from '../servers';
import { askAccept, askDestroy, askHeal, askRelease } from './ask';
import { type Drift, driftsQuery, KINDS, said } from './drift';

/** Where the VMs on a server are not as they are wanted, and what can be done. */
export function DriftTab({ server }: { server: Server }) {
  const { limit, page_token, closed } = serverRoute.useSearch();
  const navigate = serverRoute.useNavigate();
  const can = useCan();
  const query = useQuery(driftsQuery({ server_id: server.id, limit, page_token, closed }));
  const toggle = () =>
    void navigate({
      search: (before) => ({ ...before, page_token: undefined, closed: closed ? undefined : true }),
    });
  return (
    <Stack gap="sm">
      <Group justify="space-between">
        <Checkbox size="xs" label="Show what is over instead" checked={closed === true} onChange={toggle} />
        {can('cloudpods:manage') && (
          <Button
            size="xs"
            variant="default"
            renderRoot={(props) => (
              <Link to="/provisioning/cloudpods" search={{ adopt: true, adopt_server: server.name }} {...props} />
            )}
          >
            Adopt a VM
          </Button>
        )}
      </Group>
      <List
        label={`Drift on ${server.name}`}
        query={query}
        rowKey={(drift) => drift.id}
        columns={COLUMNS}
        empty={
          <EmptyState icon={IconCheck} title={closed ? 'Nothing was different' : 'All is as it is wanted'}>
            Each inventory of its host is compared with what is wanted; what differs shows here.
          </EmptyState>
        }
      />
    </Stack>
  );
}

const COLUMNS: Column<Drift>[] = [
  {
    key: 'kind',
    title: 'What',
    show: (drift) => (
      <Stack gap={2} align="flex-start">
        <KindPill drift={drift} />
        <Text size="xs" c="dimmed">
          {drift.closed_at ? (
            <>
              Over <Time at={drift.closed_at} />
            </>
          ) : (
            <>
              Since <Time at={drift.since} />
            </>
          )}
        </Text>
      </Stack>
    ),
  },
  {
    key: 'vm',
    title: 'VM',
    show: ({ cloudpod, vmid }) => (
      <Stack gap={0}>
        {cloudpod.name ? (
          <Link to="/provisioning/cloudpods/$id" params={{ id: cloudpod.id }}>
            {cloudpod.name}
          </Link>
        ) : (
          <Text size="sm">Of no pod</Text>
        )}
        <Text size="xs" c="dimmed">
          VMID {vmid}
        </Text>
      </Stack>
    ),
  },
  {
    key: 'sides',
    title: 'Wanted and seen',
    show: ({ expected, seen }) => (
      <Text size="sm" component="div">
        <div>Wanted: {said(expected) || 'nothing'}</div>
        <div>Seen: {said(seen) || 'nothing'}</div>
      </Text>
    ),
  },
  {
    key: 'cure',
    title: 'What to do',
    show: (drift) => <Cure drift={drift} />,
  },
];

export function KindPill({ drift: { kind, settling, closed_at } }: { drift: Drift }) {
  if (closed_at) {
    return (
      <Pill tone="plain" icon={IconCheck}>
        {KINDS[kind]}
      </Pill>
    );
  }
  return settling ? (
    <Pill tone="plain" icon={IconHourglassHigh} about="It has not lasted long enough to count: a job may have done it">
      {KINDS[kind]}, settling
    </Pill>
  ) : (
    <Pill tone="warn" icon={IconAlertTriangle}>
      {KINDS[kind]}
    </Pill>
  );
}

/** What to do about it, with what can be done here. */
export function Cure({ drift }: { drift: Drift }) {
  const can = useCan();
  const { actions, cure, heal_tries, heal_job_id, kind, closed_at, server, vmid } = drift;
  // Where it was released, it is a foreign VM now.
  const isAdoptable = closed_at && (kind === 'orphan' || kind === 'duplicate') && can('cloudpods:manage');
  const may = can('drift:write') ? actions : [];
  return (
    <Stack gap={6} maw={440}>
      {!closed_at && (
        <Text size="xs" c="dimmed">
          {cure.replaceAll('`', '')}
        </Text>
      )}
      {heal_job_id && (
        <Text size="xs">
          Tried {heal_tries === 1 ? 'once' : `${heal_tries} times`}:{' '}
          <Link to="/provisioning/jobs" search={{ job: heal_job_id }}>
            the newest job
          </Link>
        </Text>
      )}
      {isAdoptable && (
        <Text size="xs">
          Released, and still there?{' '}
          <Link to="/provisioning/cloudpods" search={{ adopt: true, adopt_server: server.name, adopt_vmid: vmid }}>
            Adopt it
          </Link>
        </Text>
      )}
      {may.length > 0 && (
        <Group gap={6}>
          {may.includes('heal') && (
            <Button size="compact-xs" onClick={() => askHeal(drift)}>
              Put it right
            </Button>
          )}
          {may.includes('accept') && (
            <Button size="compact-xs" variant="default" onClick={() => askAccept(drift)}>
              {kind === 'orphan' ? 'Give it back' : 'Accept'}
            </Button>
          )}
          {may.includes('release') && (
            <Button size="compact-xs" variant="default" onClick={() => askRelease(drift)}>
              Release
            </Button>
          )}
          {may.includes('destroy') && (
            <Button size="compact-xs" color="red" variant="light" onClick={() => askDestroy(drift)}>
              Destroy
            </Button>
          )}
        </Group>
      )}
    </Stack>
  );
}
