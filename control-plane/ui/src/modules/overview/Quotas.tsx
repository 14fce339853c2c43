import { SimpleGrid, Skeleton, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import type { components } from '@/api/schema';
import { ProblemAlert } from '@/lib/page/ProblemAlert';
import { Section } from '@/lib/page/Section';
import { CapacityBar } from '@/lib/show/CapacityBar';
import { gib, mib, number } from '@/lib/show/units';
import { quotasQuery } from './overview';

const MEASURES: [keyof components['schemas']['TenantQuotas'], string, (value: number) => string][] = [
  ['pods', 'CloudPods', number],
  ['vcpu', 'vCPU', number],
  ['memory_mib', 'Memory', mib],
  ['disk_gib', 'Disk', gib],
  ['addresses', 'Addresses', number],
  ['snapshots', 'Snapshots', number],
  ['backups', 'Backups', number],
];

/** What a tenant uses, of what it may. */
export function Quotas({ tenant }: { tenant: string }) {
  const query = useQuery(quotasQuery(tenant));
  return (
    <Section title="Use" about="What is used, of what may be">
      {query.isPending && <Skeleton h={64} aria-busy="true" aria-label="Loading the use" />}
      <ProblemAlert problem={query.error} retry={() => void query.refetch()} />
      {query.data && (
        <SimpleGrid cols={{ base: 2, sm: 4 }} spacing="lg">
          {MEASURES.map(([name, label, show]) => {
            const { used, limit } = query.data[name];
            return (
              <div key={name}>
                <Text size="xs" fw={600} mb={2}>
                  {label}
                </Text>
                {limit == null ? (
                  <Text size="xs">{show(used)}, no limit</Text>
                ) : (
                  <CapacityBar label={label} used={used} total={limit} show={show} word="used" />
                )}
              </div>
            );
          })}
        </SimpleGrid>
      )}
    </Section>
  );
}
