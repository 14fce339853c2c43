import { Button, Loader, Stack, Text, ThemeIcon } from '@mantine/core';
import { useReducedMotion } from '@mantine/hooks';
import { IconAlertTriangle, IconCheck, IconPlugConnected, IconX, type TablerIcon } from '@tabler/icons-react';
import { useEffect, useState } from 'react';
import { api, unwrap } from '@/api/client';
import type { components } from '@/api/schema';
import { useAction } from '@/lib/forms/useAction';
import { ProblemAlert } from '@/lib/page/ProblemAlert';
import { Section } from '@/lib/page/Section';
import { number } from '@/lib/show/units';
import type { Server } from '../servers';
import classes from './ConnectionTest.module.css';

type Check = components['schemas']['Check'];

const LINE_MS = 220;

const LOOKS: Record<Check['state'], [string, TablerIcon, string]> = {
  ok: ['green', IconCheck, 'In order'],
  warn: ['yellow', IconAlertTriangle, 'To be looked at'],
  fail: ['red', IconX, 'Failed'],
};

/** Tests the connection and what is needed on the host; its lines appear one by one. */
export function ConnectionTest({ server }: { server: Server }) {
  const action = useAction({
    run: () => unwrap(api.POST('/api/platform/servers/{id}/test-connection', { params: { path: { id: server.id } } })),
  });
  const { data, isPending } = action;
  const shown = useShown(data?.checks ?? []);
  const isDone = data && shown.length === data.checks.length;
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
            Its agent is asked; that takes ten seconds at most.
          </Text>
        )}
        {data && !isPending && (
          <Stack gap={6} component="ul" className={classes.lines}>
            {shown.map((check) => (
              <Line key={check.name} check={check} />
            ))}
          </Stack>
        )}
        {isDone && !isPending && (
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

function Line({ check: { name, state, message, advice, took_ms } }: { check: Check }) {
  const [color, Icon, word] = LOOKS[state];
  return (
    <li className={classes.line}>
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

/** The first of them, and one more each moment. */
function useShown(checks: Check[]): Check[] {
  const isStill = useReducedMotion();
  const [state, setState] = useState({ of: checks, count: 0 });
  const count = state.of === checks ? state.count : 0;
  useEffect(() => {
    if (isStill || count >= checks.length) return undefined;
    const timer = setTimeout(() => setState({ of: checks, count: count + 1 }), LINE_MS);
    return () => clearTimeout(timer);
  }, [checks, count, isStill]);
  return isStill ? checks : checks.slice(0, count);
}
