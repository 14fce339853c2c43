import { Button, Loader, Stack, Text, ThemeIcon } from '@mantine/core';
import { IconAlertTriangle, IconCheck, IconPlugConnected, IconX, type TablerIcon } from '@tabler/icons-react';
import { api, unwrap } from '@/api/client';
import type { components } from '@/api/schema';
import { useAction } from '@/lib/forms/useAction';
import { ProblemAlert } from '@/lib/page/ProblemAlert';
import { Section } from '@/lib/page/Section';
import { number } from '@/lib/show/units';
import type { Server } from '../servers';
import classes from './ConnectionTest.module.css';

type Check = components['schemas']['Check'];

/** So much later than the one before does a line appear. */
const LINE_MS = 120;

const LOOKS: Record<Check['state'], [string, TablerIcon, string]> = {
  ok: ['green', IconCheck, 'In order'],
  warn: ['yellow', IconAlertTriangle, 'To be looked at'],
  fail: ['red', IconX, 'Failed'],
};

/** Tests the connection and what is needed on the host. It is answered as a whole; its lines appear one by one, to be read. */
export function ConnectionTest({ server }: { server: Server }) {
  const action = useAction({
    run: () => unwrap(api.POST('/api/platform/servers/{id}/test-connection', { params: { path: { id: server.id } } })),
  });
  const { data, isPending } = action;
  return (
    <Section
      title="Connection"
      about="Asks its agent now what is in order"
      actions={
        <Button
          size="xs"
          variant="default"
          leftSection={<IconPlugConnected aria-hidden size={15} />}
          loading={isPending}
          onClick={() => action.mutate()}
        >
          {data ? 'Test again' : 'Test the connection'}
        </Button>
      }
    >
      <ProblemAlert problem={action.problem} />
      <div aria-live="polite" aria-busy={isPending}>
        {!data && !isPending && (
          <Text size="sm" c="dimmed">
            Session, clock, certificate, Proxmox, storages, bridge, images: each with what to do where something is
            wrong.
          </Text>
        )}
        {isPending && (
          <Text size="sm" c="dimmed">
            <Loader size={12} mr={8} aria-hidden />
            Checking. Its agent is asked, and answers all of it together, after ten seconds at most.
          </Text>
        )}
        {data && !isPending && (
          <Stack gap={6} component="ul" className={classes.lines}>
            {data.checks.map((check, index) => (
              <Line key={check.name} check={check} index={index} />
            ))}
          </Stack>
        )}
        {data && !isPending && (
          <Text size="sm" fw={600} mt="xs">
            {data.state === 'ok'
              ? `All ${data.checks.length} are in order`
              : `${data.checks.filter((check) => check.state !== 'ok').length} of ${data.checks.length} need somebody`}
            , in {number(data.took_ms)} ms
          </Text>
        )}
      </div>
    </Section>
  );
}

function Line({ check: { name, state, message, advice, took_ms }, index }: { check: Check; index: number }) {
  const [color, Icon, word] = LOOKS[state];
  return (
    <li className={classes.line} style={{ animationDelay: `${index * LINE_MS}ms` }}>
      <ThemeIcon size={18} radius="xl" color={color} variant="light" role="img" aria-label={word}>
        <Icon aria-hidden size={12} />
      </ThemeIcon>
      <div>
        <Text size="sm">
          <b>{name.replaceAll('_', ' ')}</b> {message}
        </Text>
        {advice && (
          <Text size="xs" c="dimmed">
            {advice}
          </Text>
        )}
      </div>
      <Text size="xs" c="dimmed" className={classes.took}>
        {number(took_ms)} ms
      </Text>
    </li>
  );
}
