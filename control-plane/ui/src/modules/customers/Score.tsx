import { Tooltip } from '@mantine/core';
import { IconAlertTriangle, IconHeartBroken, IconHeartbeat } from '@tabler/icons-react';
import type { components } from '@/api/schema';
import { Pill } from '@/lib/pills/Pill';

const GOOD = 80;
const POOR = 50;

type Health = components['schemas']['CustomerHealth'];

/** How a customer is doing, 0 to 100; what weighs most against it, when one points at it. */
export function Score({ health: { score, parts } }: { health: Health }) {
  const [tone, icon] =
    score >= GOOD
      ? (['good', IconHeartbeat] as const)
      : score >= POOR
        ? (['warn', IconAlertTriangle] as const)
        : (['bad', IconHeartBroken] as const);
  const [worst] = [...parts].sort((a, b) => lost(b) - lost(a));
  const about = worst && worst.score < 100 ? worst.reason : 'Nothing weighs against it';
  return (
    <Tooltip label={about}>
      <span>
        <Pill tone={tone} icon={icon}>
          {score} / 100
        </Pill>
      </span>
    </Tooltip>
  );
}

/** So many points the whole loses by a part. */
export function lost({ weight, score }: Health['parts'][number]): number {
  return (weight * (100 - score)) / 100;
}
