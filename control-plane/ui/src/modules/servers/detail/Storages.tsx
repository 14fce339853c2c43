import { Paper, ScrollArea, Table, Text } from '@mantine/core';
import { IconBan, IconCheck, IconPlugConnectedX } from '@tabler/icons-react';
import { EmptyState } from '@/lib/page/EmptyState';
import { Pill } from '@/lib/pills/Pill';
import { CapacityBar } from '@/lib/show/CapacityBar';
import { gib } from '@/lib/show/units';
import type { Server } from '../servers';

type Storage = Server['storages'][number];

/** What the host has, and what of it is offered to pods. */
export function Storages({ server: { storages } }: { server: Server }) {
  if (storages.length === 0) {
    return (
      <Paper withBorder>
        <EmptyState title="No storage is known">Its agent tells what there is when it connects.</EmptyState>
      </Paper>
    );
  }
  return (
    <Paper withBorder>
      <ScrollArea type="auto" scrollbars="x" viewportProps={{ tabIndex: 0, role: 'region', 'aria-label': 'Storages' }}>
        <Table verticalSpacing="xs" horizontalSpacing="sm" miw={640} aria-label="Storages">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Name</Table.Th>
              <Table.Th>For pods</Table.Th>
              <Table.Th w={170}>Reserved</Table.Th>
              <Table.Th w={170}>In use on it</Table.Th>
              <Table.Th>Limit</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {storages.map((storage) => (
              <Row key={storage.name} storage={storage} />
            ))}
          </Table.Tbody>
        </Table>
      </ScrollArea>
    </Paper>
  );
}

function Row({ storage }: { storage: Storage }) {
  const { name, kind, shared, offered, active, reserved_gib, capacity_gib, disk_gib } = storage;
  const { seen_used_gib, seen_total_gib } = storage;
  return (
    <Table.Tr>
      <Table.Td>
        <Text size="sm" fw={600}>
          {name}
        </Text>
        <Text size="xs" c="dimmed">
          {[kind, shared && 'shared'].filter(Boolean).join(', ') || 'Not seen yet'}
        </Text>
      </Table.Td>
      <Table.Td>
        <Offer offered={offered} active={active} />
      </Table.Td>
      <Table.Td>
        {offered || reserved_gib > 0 ? (
          <CapacityBar label={`Reserved on ${name}`} used={reserved_gib} total={capacity_gib} show={gib} />
        ) : (
          '–'
        )}
      </Table.Td>
      <Table.Td>
        {seen_total_gib == null ? (
          'Not seen'
        ) : (
          <CapacityBar
            label={`In use on ${name}`}
            used={seen_used_gib ?? 0}
            total={seen_total_gib}
            show={gib}
            word="in use"
          />
        )}
      </Table.Td>
      <Table.Td>{disk_gib == null ? 'All of it' : gib(disk_gib)}</Table.Td>
    </Table.Tr>
  );
}

function Offer({ offered, active }: { offered: boolean; active: boolean }) {
  if (!offered) {
    return (
      <Pill tone="plain" icon={IconBan}>
        Not offered
      </Pill>
    );
  }
  return active ? (
    <Pill tone="good" icon={IconCheck}>
      Offered
    </Pill>
  ) : (
    <Pill tone="bad" icon={IconPlugConnectedX} about="Proxmox says that it is not active: nothing new is placed on it">
      Not active
    </Pill>
  );
}
