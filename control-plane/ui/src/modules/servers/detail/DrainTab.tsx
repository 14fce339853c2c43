import { Paper, Progress, Skeleton, Stack, Text } from '@mantine/core';
import { IconTransferOut } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import { type Column, Items, rowLink } from '@/lib/list/List';
import { EmptyState } from '@/lib/page/EmptyState';
import { bytes } from '@/lib/show/units';
import type { Drain, Server } from '../servers';
import { Why } from '../status/Why';
import { METHODS, POD_STATES } from '../status/words';
import { DrainProgress } from './DrainProgress';

type Row = Drain['pods'][number];

interface Props {
  server: Server;
  drain: Drain | null | undefined;
}

/** The newest drain, pod by pod. */
export function DrainTab({ server, drain }: Props) {
  if (drain === undefined) return <Skeleton h={200} aria-busy="true" aria-label="Loading" />;
  if (drain === null) {
    return (
      <Paper withBorder>
        <EmptyState icon={IconTransferOut} title={`${server.name} was never drained`}>
          A drain moves the pods on it to other servers, one by one, and shows here how far it is.
        </EmptyState>
      </Paper>
    );
  }
  return (
    <Stack gap="md">
      <DrainProgress drain={drain} isWhole />
      {drain.pods.length > 0 && (
        <Items label="Pods of the drain" items={drain.pods} rowKey={({ cloudpod }) => cloudpod.id} columns={COLUMNS} />
      )}
    </Stack>
  );
}

const COLUMNS: Column<Row>[] = [
  {
    key: 'pod',
    title: 'Pod',
    show: ({ cloudpod, blocker, error, attempts }) => (
      <div>
        <Link to="/provisioning/cloudpods/$id" params={{ id: cloudpod.id }} {...rowLink}>
          {cloudpod.name}
        </Link>
        {(blocker || error) && (
          <Why>{blocker ?? `Tried ${attempts === 1 ? 'once' : `${attempts} times`} in vain: ${error}`}</Why>
        )}
      </div>
    ),
  },
  {
    key: 'state',
    title: 'State',
    width: 190,
    show: ({ cloudpod, state, progress }) => (
      <>
        <Text size="sm">{POD_STATES[state]}</Text>
        {state === 'moving' && progress != null && (
          <Progress value={progress} size={5} mt={3} aria-label={`${progress} % of moving ${cloudpod.name}`} />
        )}
      </>
    ),
  },
  { key: 'method', title: 'How', show: ({ method }) => (method ? METHODS[method] : '–') },
  {
    key: 'target',
    title: 'To',
    show: ({ target }) =>
      target ? (
        <Link to="/servers/$server" params={{ server: target.name }}>
          {target.name}
        </Link>
      ) : (
        '–'
      ),
  },
  { key: 'copies', title: 'Copies', show: ({ bytes: size }) => (size == null ? '–' : bytes(size)) },
  {
    key: 'job',
    title: 'Job',
    show: ({ job_id }) =>
      job_id ? (
        <Link to="/provisioning/jobs" search={{ job: job_id }}>
          Steps
        </Link>
      ) : (
        '–'
      ),
  },
];
