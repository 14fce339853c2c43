import { Alert, NumberInput, Select, SimpleGrid, Stack, Switch, Text } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { api, unwrap } from '@/api/client';
import type { components } from '@/api/schema';
import { useAction } from '@/lib/forms/useAction';
import { mib } from '@/lib/show/units';
import { ServerSelect } from '@/modules/servers/ServerSelect';
import { endpointQuery, type Server, serverQuery } from '@/modules/servers/servers';
import { type CloudPod, podParams } from '../pods';
import { FormEnd } from './FormEnd';
import type { ActionFormProps } from './PodActionModal';

const METHODS: { value: components['schemas']['Method']; label: string }[] = [
  { value: 'live', label: 'Live: it goes on running' },
  { value: 'offline', label: 'Offline: while it is stopped' },
  { value: 'remote', label: 'To another cluster' },
];

interface Values {
  server: string | null;
  storage: string | null;
  method: components['schemas']['Method'] | null;
  with_local_disks: boolean;
  allow_shutdown: boolean;
  shutdown_s: number;
}

export function MigrateForm({ pod, close }: ActionFormProps) {
  const form = useForm<Values>({
    initialValues: {
      server: null,
      storage: null,
      method: null,
      with_local_disks: true,
      allow_shutdown: false,
      shutdown_s: 180,
    },
  });
  const values = form.values;
  const action = useAction({
    form,
    run: (body: Values) =>
      unwrap(api.POST('/api/admin/hosting/cloudpods/{id}/migrate', { params: podParams(pod.id), body })),
    changes: ['cloudpod', 'job', 'server'],
    done: close,
  });
  const target = useQuery({ ...serverQuery(values.server ?? ''), enabled: Boolean(values.server) }).data;
  const storages = target?.storages.filter((one) => one.offered) ?? [];
  return (
    <form onSubmit={form.onSubmit((chosen) => action.mutate(chosen))}>
      <Stack gap="sm">
        <Text size="sm">
          From {pod.server?.name ?? 'nowhere'}. It holds room on both servers until both have confirmed the move.
          {pod.server && (
            <>
              {' '}
              Where it can go at present, and how, is in{' '}
              <Link to="/servers/$server" params={{ server: pod.server.name }} search={{ open: 'drain' }}>
                the preview of a drain
              </Link>
              .
            </>
          )}
        </Text>
        <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="sm">
          <ServerSelect
            by="name"
            label="To"
            placeholder="Wherever it fits best"
            description="One without room for it cannot be chosen"
            about={aboutOf}
            isPossible={(server) => server.id !== pod.server?.id && canTake(server, pod)}
            {...form.getInputProps('server')}
          />
          <Select
            label="Storage there"
            description="Of the server that is chosen"
            placeholder="The one that fits best"
            clearable
            disabled={!values.server}
            data={storages.map(({ name }) => name)}
            {...form.getInputProps('storage')}
          />
          <Select label="How" placeholder="As suits it" clearable data={METHODS} {...form.getInputProps('method')} />
          <NumberInput
            label="How long its guest gets"
            suffix=" s"
            min={5}
            max={3600}
            allowDecimal={false}
            disabled={!values.allow_shutdown}
            {...form.getInputProps('shutdown_s')}
          />
        </SimpleGrid>
        {target && <EndpointMissing target={target} from={pod.server?.id} isRemote={values.method === 'remote'} />}
        <Switch
          label="Copy disks that its server alone has"
          {...form.getInputProps('with_local_disks', { type: 'checkbox' })}
        />
        <Switch
          label="Shut it down, if it cannot be moved while it runs"
          description="It is started again afterwards"
          {...form.getInputProps('allow_shutdown', { type: 'checkbox' })}
        />
        <FormEnd action={action} label="Move" close={close} />
      </Stack>
    </form>
  );
}

/** Hosts of another cluster send VMs to a server only where it has said how. */
function EndpointMissing({ target, from, isRemote }: { target: Server; from: string | undefined; isRemote: boolean }) {
  const source = useQuery({ ...serverQuery(from ?? ''), enabled: Boolean(from) }).data;
  const isElsewhere = isRemote || (source && source.vmid_space !== target.vmid_space);
  const endpoint = useQuery({ ...endpointQuery(target.id), enabled: Boolean(isElsewhere) });
  if (!isElsewhere || endpoint.data !== null) return null;
  return (
    <Alert color="yellow" p="xs">
      {target.name} is not in the same cluster, and has no migration endpoint. Set it on{' '}
      <Link to="/servers/$server" params={{ server: target.name }} search={{ tab: 'agent' }}>
        its Agent tab
      </Link>{' '}
      first.
    </Alert>
  );
}

function roomOf({ capacity, reserved }: Server): { vcpu: number; memory_mib: number } {
  return { vcpu: capacity.vcpu - reserved.vcpu, memory_mib: Math.max(0, capacity.memory_mib - reserved.memory_mib) };
}

function aboutOf(server: Server): string {
  if (server.connection.state !== 'online') return server.connection.state;
  if (server.scheduling.state !== 'online') return server.scheduling.state;
  return `${mib(roomOf(server).memory_mib)} free`;
}

/** As far as it is known here: the server looks at more, and says what is wrong. */
function canTake(server: Server, { vcpu, memory_mib }: CloudPod): boolean {
  const room = roomOf(server);
  const isOpen = server.connection.state === 'online' && server.scheduling.state === 'online';
  return isOpen && room.vcpu >= vcpu && room.memory_mib >= memory_mib;
}
