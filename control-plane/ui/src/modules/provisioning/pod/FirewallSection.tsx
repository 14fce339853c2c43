import { Button, Modal, Skeleton, Stack, Table, Text } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconCheck, IconShieldOff } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useCan } from '@/api/me';
import { ProblemAlert } from '@/lib/page/ProblemAlert';
import { Section } from '@/lib/page/Section';
import { Pill } from '@/lib/pills/Pill';
import { type Fact, Facts } from '@/lib/show/Facts';
import { SmallTable } from '@/lib/show/SmallTable';
import { type CloudPod, type Firewall, firewallQuery, isUsable } from '../pods';
import { FirewallForm } from './FirewallForm';

export const POLICY = { accept: 'let through', drop: 'dropped', reject: 'refused' };

export function FirewallSection({ pod }: { pod: CloudPod }) {
  const can = useCan();
  const [isOpen, editor] = useDisclosure(false);
  const { data, error, isPending, refetch } = useQuery(firewallQuery(pod.id));
  return (
    <Section
      title="Firewall"
      about="In order: the first rule that matches decides"
      beside={data && <Applied firewall={data} />}
      actions={
        can('cloudpods:write') &&
        isUsable(pod) &&
        data && (
          <Button size="xs" variant="default" onClick={editor.open}>
            Change
          </Button>
        )
      }
    >
      {isPending && <Skeleton h={60} />}
      <ProblemAlert problem={error} retry={() => void refetch()} />
      {data && (
        <Stack gap="sm">
          <Facts facts={factsOf(data)} />
          {data.rules.length === 0 ? <Text size="sm">It has no rules.</Text> : <Rules firewall={data} />}
        </Stack>
      )}
      <Modal opened={isOpen} onClose={editor.close} title={`Firewall of ${pod.name}`} size="xl">
        {data && <FirewallForm pod={pod} firewall={data} close={editor.close} />}
      </Modal>
    </Section>
  );
}

function factsOf({ policy_in, policy_out, mac_filter, ip_filter }: Firewall): Fact[] {
  return [
    { title: 'Other inbound traffic', value: POLICY[policy_in] },
    { title: 'Other outbound traffic', value: POLICY[policy_out] },
    { title: 'Sends from other MAC addresses', value: mac_filter ? 'no' : 'may' },
    { title: 'Sends from other addresses', value: ip_filter ? 'no' : 'may' },
  ];
}

function Applied({ firewall: { applied, not_applied_because } }: { firewall: Firewall }) {
  return applied ? (
    <Pill tone="good" icon={IconCheck}>
      In effect
    </Pill>
  ) : (
    <Pill tone="warn" icon={IconShieldOff} about={not_applied_because}>
      Not in effect
    </Pill>
  );
}

function Rules({ firewall }: { firewall: Firewall }) {
  return (
    <SmallTable label="Firewall rules" heads={['#', 'Direction', 'Action', 'Protocol', 'From', 'To', 'Comment']}>
      {firewall.rules.map((rule, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: its place is what a rule is known by
        <Table.Tr key={index}>
          <Table.Td>{index + 1}</Table.Td>
          <Table.Td>{rule.direction}</Table.Td>
          <Table.Td>{rule.action}</Table.Td>
          <Table.Td>{rule.protocol ?? 'any'}</Table.Td>
          <Table.Td>{endOf(rule.source, rule.source_ports)}</Table.Td>
          <Table.Td>{endOf(rule.destination, rule.destination_ports)}</Table.Td>
          <Table.Td>{rule.comment}</Table.Td>
        </Table.Tr>
      ))}
    </SmallTable>
  );
}

function endOf(address: string | null | undefined, ports: string | null | undefined): string {
  if (!ports) return address ?? 'any';
  return `${address ?? 'any'}, ports ${ports}`;
}
