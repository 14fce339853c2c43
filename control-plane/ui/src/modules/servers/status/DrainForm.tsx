import { Button, Checkbox, Group, NumberInput, SimpleGrid, Stack, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { api, unwrap } from '@/api/client';
import { useAction } from '@/lib/forms/useAction';
import { ProblemAlert } from '@/lib/page/ProblemAlert';
import { serverRoute } from '../routes';
import type { Server } from '../servers';
import { DrainPreview } from './DrainPreview';

interface Values {
  reason: string;
  /** Local, as the browser's field has it; empty: none. */
  deadline: string;
  allow_shutdown: boolean;
  shutdown_s: number | '';
  typed: string;
}

/** Moves everything away from a server, after one has seen what would happen. */
export function DrainForm({ server, close }: { server: Server; close: () => void }) {
  const navigate = serverRoute.useNavigate();
  const form = useForm<Values>({
    initialValues: {
      reason: server.scheduling.reason,
      deadline: '',
      allow_shutdown: false,
      shutdown_s: 180,
      typed: '',
    },
  });
  const { allow_shutdown, typed } = form.values;
  const action = useAction({
    form,
    run: ({ reason, deadline, shutdown_s }: Values) =>
      unwrap(
        api.POST('/api/platform/servers/{id}/status', {
          params: { path: { id: server.id } },
          body: {
            status: 'draining',
            reason: reason.trim(),
            deadline: deadline ? new Date(deadline).toISOString() : null,
            allow_shutdown,
            shutdown_s: allow_shutdown && shutdown_s !== '' ? shutdown_s : null,
          },
        }),
      ),
    changes: ['server', 'drain'],
    done: ({ drain }) => void navigate({ search: { tab: drain ? 'drain' : undefined } }),
  });
  return (
    <form onSubmit={form.onSubmit((values) => action.mutate(values))}>
      <Stack gap="sm">
        <DrainPreview server={server} allowShutdown={allow_shutdown} />
        <Checkbox
          label="Guests that cannot be moved while they run may be asked to shut down"
          description="They are started again where they arrive"
          {...form.getInputProps('allow_shutdown', { type: 'checkbox' })}
        />
        <SimpleGrid cols={{ base: 1, sm: 2 }} spacing="sm">
          <TextInput
            label="Reason"
            description="Shown with the state, and kept in the audit"
            placeholder="new memory"
            maxLength={500}
            data-autofocus
            {...form.getInputProps('reason')}
          />
          <TextInput
            type="datetime-local"
            label="Deadline"
            description="No move begins after it; empty: none"
            {...form.getInputProps('deadline')}
          />
          {allow_shutdown && (
            <NumberInput
              label="Time to shut down"
              description="For each guest"
              suffix=" s"
              min={5}
              max={3600}
              allowDecimal={false}
              required
              {...form.getInputProps('shutdown_s')}
            />
          )}
          <TextInput
            label={
              <>
                Type <b>{server.name}</b> to confirm
              </>
            }
            description="Nothing new is placed on it from then on"
            autoComplete="off"
            spellCheck={false}
            {...form.getInputProps('typed')}
          />
        </SimpleGrid>
        <ProblemAlert problem={action.problem} />
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={close}>
            Cancel
          </Button>
          <Button type="submit" disabled={typed.trim() !== server.name} loading={action.isPending}>
            Drain {server.name}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
