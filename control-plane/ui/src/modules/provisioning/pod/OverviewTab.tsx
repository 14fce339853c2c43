import { Code, Stack, Text } from '@mantine/core';
import { useCan } from '@/api/me';
import { Section } from '@/lib/page/Section';
import { type Fact, Facts } from '@/lib/show/Facts';
import { Time } from '@/lib/show/Time';
import { type CloudPod, isGone } from '../pods';
import { DesiredObserved } from './DesiredObserved';
import { PlacementSection } from './PlacementSection';

export function OverviewTab({ pod }: { pod: CloudPod }) {
  const can = useCan();
  return (
    <>
      {!isGone(pod) && <DesiredObserved pod={pod} />}
      <Section title="About it">
        <Facts facts={factsOf(pod, can('servers:read'))} />
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

function factsOf(pod: CloudPod, seesServers: boolean): (Fact | false)[] {
  const { plan, image, server, storage, vmid, media, id, created_at, updated_at, deleted_at, user } = pod;
  return [
    { title: 'Plan', value: plan.name },
    { title: 'Image', value: image.name },
    { title: 'User', value: user },
    seesServers && server != null && { title: 'Server', value: server.name },
    seesServers && storage != null && { title: 'Storage', value: storage },
    seesServers && vmid != null && { title: 'VM number', value: vmid },
    { title: 'CD drive', value: media.iso ? `${media.iso}${media.boot_from_cd ? ', booted first' : ''}` : 'empty' },
    { title: 'Made', value: <Time at={created_at} /> },
    { title: 'Changed', value: <Time at={updated_at} /> },
    deleted_at != null && { title: 'Deleted', value: <Time at={deleted_at} /> },
    { title: 'Id', value: id },
  ];
}
