import { Anchor, Text } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { words } from '@/lib/jobs/job';
import { Time } from '@/lib/show/Time';
import { gib, mib } from '@/lib/show/units';
import type { Overview } from './customers';
import { Rows } from './Rows';

export function PodsPart({ overview: { cloudpods, customer } }: { overview: Overview }) {
  return (
    <Rows
      title="CloudPods"
      empty="It has none."
      items={cloudpods}
      rowKey={(pod) => pod.id}
      columns={[
        {
          title: 'Name',
          show: ({ id, name }) => (
            <Anchor
              size="sm"
              renderRoot={(props) => <Link to="/provisioning/cloudpods/$id" params={{ id }} {...props} />}
            >
              {name}
            </Anchor>
          ),
        },
        { title: 'State', show: ({ state }) => words(state) },
        { title: 'Plan', show: ({ plan }) => plan },
        {
          title: 'Size',
          show: ({ vcpu, memory_mib, disk_gib }) => (
            <Text size="sm" span style={{ whiteSpace: 'nowrap' }}>
              {vcpu} vCPU, {mib(memory_mib)}, {gib(disk_gib)}
            </Text>
          ),
        },
        { title: 'Made', show: ({ created_at }) => <Time at={created_at} /> },
      ]}
      all={
        <Anchor
          size="sm"
          renderRoot={(props) => (
            <Link to="/provisioning/cloudpods" search={{ tenant: customer.tenant_id }} {...props} />
          )}
        >
          All of its CloudPods
        </Anchor>
      }
    />
  );
}
