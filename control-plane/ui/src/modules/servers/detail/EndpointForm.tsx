import { Button, Group, NumberInput, PasswordInput, Stack, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useQuery } from '@tanstack/react-query';
import { api, unwrap } from '@/api/client';
import { useAction } from '@/lib/forms/useAction';
import { ProblemAlert } from '@/lib/page/ProblemAlert';
import { endpointQuery, type Server } from '../servers';

interface Values {
  host: string;
  port: number;
  fingerprint: string;
  token: string;
}

/** Says where hosts of other Proxmox clusters send VMs to; replaces what was said before. */
export function EndpointForm({ server, close }: { server: Server; close: () => void }) {
  const before = useQuery(endpointQuery(server.id)).data;
  const form = useForm<Values>({
    initialValues: {
      host: before?.host ?? '',
      port: before?.port ?? 8006,
      fingerprint: before?.fingerprint ?? '',
      token: '',
    },
  });
  const action = useAction({
    form,
    run: (body: Values) =>
      unwrap(api.PUT('/api/platform/servers/{id}/migration-endpoint', { params: { path: { id: server.id } }, body })),
    changes: ['server'],
    done: close,
  });
  return (
    <form onSubmit={form.onSubmit((values) => action.mutate(values))}>
      <Stack gap="sm">
        <Group align="flex-start" gap="sm" wrap="nowrap">
          <TextInput
            label="Host"
            description="As the other clusters reach it"
            placeholder="pve9.example.net"
            required
            maxLength={253}
            flex={1}
            data-autofocus
            {...form.getInputProps('host')}
          />
          <NumberInput
            label="Port"
            description="Proxmox API"
            min={1}
            max={65535}
            w={110}
            allowDecimal={false}
            required
            {...form.getInputProps('port')}
          />
        </Group>
        <TextInput
          label="Fingerprint"
          description="SHA-256 of its certificate: pvenode cert info shows it"
          placeholder="AA:BB:…"
          required
          {...form.getInputProps('fingerprint')}
        />
        <PasswordInput
          label="API token"
          description="Of its cluster, as user@realm!id=secret. Kept sealed, shown never again"
          autoComplete="off"
          required
          {...form.getInputProps('token')}
        />
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
