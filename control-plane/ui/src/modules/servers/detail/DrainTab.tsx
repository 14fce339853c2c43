import { Paper, Progress, ScrollArea, Skeleton, Stack, Table, Text } from '@mantine/core';
import { IconTransferOut } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
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
        <Paper withBorder>
          <ScrollArea
            type="auto"
            scrollbars="x"
            viewportProps={{ tabIndex: 0, role: 'region', 'aria-label': 'Pods of the drain' }}
          >
            <Table verticalSpacing={7} horizontalSpacing="sm" miw={680} aria-label="Pods of the drain">
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>Pod</Table.Th>
                  <Table.Th w={190}>State</Table.Th>
                  <Table.Th>How</Table.Th>
                  <Table.Th>To</Table.Th>
                  <Table.Th>Copies</Table.Th>
                  <Table.Th>Job</Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {drain.pods.map((row) => (
                  <PodRow key={row.cloudpod.id} row={row} />
                ))}
              </Table.Tbody>
            </Table>
          </ScrollArea>
        </Paper>
      )}
    </Stack>
  );
}

function PodRow({ row }: { row: Row }) {
  const { cloudpod, state, method, target, bytes: size, blocker, job_id, progress, attempts, error } = row;
  return (
    <Table.Tr>
      <Table.Td>
        <Link to="/provisioning/cloudpods/$id" params={{ id: cloudpod.id }}>
          {cloudpod.name}
        </Link>
        {(blocker || error) && (
          <Why>{blocker ?? `Tried ${attempts === 1 ? 'once' : `${attempts} times`} in vain: ${error}`}</Why>
        )}
      </Table.Td>
      <Table.Td>
        <Text size="sm">{POD_STATES[state]}</Text>
        {state === 'moving' && progress != null && (
          <Progress value={progress} size={5} mt={3} aria-label={`${progress} % of moving ${cloudpod.name}`} />
        )}
      </Table.Td>
      <Table.Td>{method ? METHODS[method] : '–'}</Table.Td>
      <Table.Td>
        {target ? (
          <Link to="/servers/$server" params={{ server: target.name }}>
            {target.name}
          </Link>
        ) : (
          '–'
        )}
      </Table.Td>
      <Table.Td>{size == null ? '–' : bytes(size)}</Table.Td>
      <Table.Td>
        {job_id ? (
          <Link to="/provisioning/jobs" search={{ job: job_id }}>
            Steps
          </Link>
        ) : (
          '–'
        )}
      </Table.Td>
    </Table.Tr>
  );
}
