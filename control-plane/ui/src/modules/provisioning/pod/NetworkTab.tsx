import { Table, Text } from '@mantine/core';
import { Section } from '@/lib/page/Section';
import { SmallTable } from '@/lib/show/SmallTable';
import type { CloudPod } from '../pods';
import { FirewallSection } from './FirewallSection';
import { TrafficSection } from './TrafficSection';

export function NetworkTab({ pod }: { pod: CloudPod }) {
  return (
    <>
      <Addresses pod={pod} />
      <FirewallSection pod={pod} />
      <TrafficSection pod={pod} />
    </>
  );
}

function Addresses({ pod }: { pod: CloudPod }) {
  return (
    <Section title="Addresses">
      {pod.addresses.length === 0 ? (
        <Text size="sm">It holds none.</Text>
      ) : (
        <SmallTable label="Addresses" heads={['Address', 'Gateway', 'Pool']}>
          {pod.addresses.map(({ address, prefix_length, gateway, pool }) => (
            <Table.Tr key={address}>
              <Table.Td ff="monospace">
                {address}/{prefix_length}
              </Table.Td>
              <Table.Td ff="monospace">{gateway}</Table.Td>
              <Table.Td>{pool.name}</Table.Td>
            </Table.Tr>
          ))}
        </SmallTable>
      )}
    </Section>
  );
}
