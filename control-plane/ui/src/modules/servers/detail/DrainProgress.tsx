import { Alert, Progress, Text } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { Section } from '@/lib/page/Section';
import { Time } from '@/lib/show/Time';
import { number } from '@/lib/show/units';
import type { Drain } from '../servers';
import { DrainPill } from '../status/DrainPill';
import { countsOf } from '../status/words';

/** How far a drain, or the filling after it, is. */
export function DrainProgress({ drain, isWhole }: { drain: Drain; isWhole?: boolean }) {
  const { kind, state, counts, pods, note, reason, deadline, created_at, finished_at, server } = drain;
  const over = counts.moved + counts.gone;
  const share = pods.length === 0 ? 100 : (over / pods.length) * 100;
  const stuck = pods.length === 0 ? 0 : (counts.blocked / pods.length) * 100;
  const words = `${number(over)} of ${number(pods.length)} ${pods.length === 1 ? 'pod is' : 'pods are'} away`;
  return (
    <Section
      title={kind === 'drain' ? 'Drain' : 'Filling back'}
      beside={<DrainPill state={state} />}
      about={
        <>
          Begun <Time at={created_at} />
          {reason && <>: “{reason}”</>}
          {finished_at && (
            <>
              , over <Time at={finished_at} />
            </>
          )}
          {deadline && !finished_at && (
            <>
              , no move begins after <Time at={deadline} />
            </>
          )}
        </>
      }
      actions={
        !isWhole && (
          <Link to="/servers/$server" params={{ server: server.name }} search={{ tab: 'drain' }}>
            Each pod
          </Link>
        )
      }
    >
      <Progress.Root size="md">
        <Progress.Section value={share} color="green" aria-label={kind === 'drain' ? words : countsOf(counts)} />
        <Progress.Section value={stuck} color="yellow" aria-label={`${number(counts.blocked)} cannot be moved`} />
      </Progress.Root>
      <Text size="sm" role="status">
        {countsOf(counts) || 'There was nothing to move'}
      </Text>
      {note && (
        <Alert color={state === 'blocked' ? 'yellow' : 'gray'} p="xs">
          {note}
        </Alert>
      )}
    </Section>
  );
}
