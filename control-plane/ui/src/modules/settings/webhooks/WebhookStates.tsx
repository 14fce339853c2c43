import { Group } from '@mantine/core';
import { IconAlertTriangle, IconPlayerPause } from '@tabler/icons-react';
import { Pill } from '@/lib/pills/Pill';
import { exact } from '@/lib/show/Time';
import { number } from '@/lib/show/units';
import { ActivePill } from '../ActivePill';
import type { Webhook } from './webhooks';

export function WebhookStates({ webhook }: { webhook: Webhook }) {
  const { active, disabled_reason, failing_since, dropped } = webhook;
  return (
    <Group gap={4}>
      {disabled_reason ? (
        <Pill tone="bad" icon={IconPlayerPause} about={disabled_reason}>
          Made inactive
        </Pill>
      ) : (
        <ActivePill active={active} about="Nothing is sent" />
      )}
      {failing_since && (
        <Pill tone="warn" icon={IconAlertTriangle} about={`Each try has failed since ${exact(failing_since)}`}>
          Failing
        </Pill>
      )}
      {dropped > 0 && (
        <Pill tone="bad" icon={IconAlertTriangle} about="Too many deliveries waited already">
          {number(dropped)} dropped
        </Pill>
      )}
    </Group>
  );
}
