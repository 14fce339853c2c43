import { Code, Stack, Text } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { useCan, useMe } from '@/api/me';
import { Section } from '@/lib/page/Section';
import { type Fact, Facts } from '@/lib/show/Facts';
import { Time } from '@/lib/show/Time';
import { gib, mib } from '@/lib/show/units';
import { type CloudPod, isGone } from '../pods';
import { DesiredObserved } from './DesiredObserved';
import { PlacementSection } from './PlacementSection';

export function OverviewTab({ pod }: { pod: CloudPod }) {
  const can = useCan();
  const { staff } = useMe();
  return (
    <>
      {!isGone(pod) && <DesiredObserved pod={pod} />}
      <Section title="About it">
        <Facts facts={factsOf(pod, can('servers:read'), staff)} />
      </Section>
      <Section title="SSH keys" about={`Of the user ${pod.user}`}>
        {pod.ssh_keys.length === 0 ? (
          <Text size="sm">None. A password can be set instead.</Text>
        ) : (
          <Stack gap={4}>
            {pod.ssh_keys.map((one) => (
              <Code key={one} style={{ overflowWrap: 'anywhere' }}>
                {one}
              </Code>
            ))}
          </Stack>
        )}
      </Section>
      <PlacementSection pod={pod} />
    </>
  );
}

function factsOf(pod: CloudPod, seesServers: boolean, isStaff: boolean): (Fact | false)[] {
  const { plan, image, server, storage, vmid, id, created_at, updated_at, deleted_at, user } = pod;
  return [
    isStaff && { title: 'Tenant', value: <Whose pod={pod} /> },
    { title: 'Plan', value: plan.name },
    { title: 'Size', value: `${pod.vcpu} vCPU, ${mib(pod.memory_mib)} of memory, ${gib(pod.disk_gib)} of disk` },
    { title: 'Image', value: image.name },
    { title: 'User', value: user },
    seesServers && server != null && { title: 'Server', value: server.name },
    seesServers && storage != null && { title: 'Storage', value: storage },
    seesServers && vmid != null && { title: 'VM number', value: vmid },
    { title: 'CD drive', value: cdOf(pod) },
    { title: 'Made', value: <Time at={created_at} /> },
    { title: 'Changed', value: <Time at={updated_at} /> },
    deleted_at != null && { title: 'Deleted', value: <Time at={deleted_at} /> },
    { title: 'Id', value: id },
  ];
}

/** While it is rescued, its drive holds what it was started from. */
function cdOf({ rescue_iso, media: { iso, boot_from_cd } }: CloudPod): string {
  if (rescue_iso) return `${rescue_iso}, to rescue it`;
  return iso ? `${iso}${boot_from_cd ? ', booted first' : ''}` : 'empty';
}

function Whose({ pod: { tenant_id: tenant, tenant_name } }: { pod: CloudPod }) {
  const can = useCan();
  if (!can('tenants:read')) return tenant_name;
  return (
    <Link to="/settings/tenants/$tenant" params={{ tenant }}>
      {tenant_name}
    </Link>
  );
}
