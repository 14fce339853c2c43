import { Group, Progress, Text } from '@mantine/core';
import { IconLock } from '@tabler/icons-react';
import { Pill } from '@/lib/pills/Pill';
import { number, percent } from '@/lib/show/units';
import { ActivePill } from '../ActivePill';
import { type IpPool, many } from './pools';

const FULL = 0.95;
const MUCH = 0.8;

export function PoolUsed({ pool: { size, allocated } }: { pool: IpPool }) {
  const share = size > 0 ? allocated / size : 1;
  const color = share >= FULL ? 'red' : share >= MUCH ? 'yellow' : 'brand';
  return (
    <div>
      <Text size="xs">
        {number(allocated)}{' '}
        <Text span inherit c="dimmed">
          of {many(size)}
        </Text>
      </Text>
      <Progress value={share * 100} color={color} size={5} mt={3} aria-label={`${percent(share)} given out`} />
    </div>
  );
}

export function PoolStates({ pool }: { pool: IpPool }) {
  return (
    <Group gap={4}>
      <ActivePill active={pool.active} about="None of its addresses is given out" />
      {!pool.public && (
        <Pill tone="plain" icon={IconLock} about="Only the platform’s staff gives out its addresses, by naming it">
          Private
        </Pill>
      )}
    </Group>
  );
}
