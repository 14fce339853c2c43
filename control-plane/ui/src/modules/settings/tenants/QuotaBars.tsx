import { Progress, SimpleGrid, Text } from '@mantine/core';
import { percent } from '@/lib/show/units';
import { QUOTA_NAMES, QUOTAS } from './quotas';
import type { Quotas } from './tenants';

const MUCH = 0.8;

/** How much a tenant uses, beside how much it may. */
export function QuotaBars({ quotas }: { quotas: Quotas }) {
  return (
    <SimpleGrid cols={{ base: 2, xs: 3, sm: 4 }} spacing="md" verticalSpacing="sm">
      {QUOTA_NAMES.map((name) => (
        <Bar key={name} name={name} quota={quotas[name]} />
      ))}
    </SimpleGrid>
  );
}

function Bar({ name, quota: { limit, used } }: { name: keyof Quotas; quota: Quotas['pods'] }) {
  const { label, show } = QUOTAS[name];
  const share = limit == null ? 0 : limit === 0 ? Number(used > 0) : used / limit;
  const color = share >= 1 ? 'red' : share >= MUCH ? 'yellow' : 'brand';
  return (
    <div>
      <Text size="xs" c="dimmed">
        {label}
      </Text>
      <Text size="sm">
        {show(used)}{' '}
        <Text span inherit c="dimmed">
          {limit == null ? 'of unlimited' : `of ${show(limit)}`}
        </Text>
      </Text>
      {limit != null && (
        <Progress
          value={Math.min(100, share * 100)}
          color={color}
          size={5}
          mt={3}
          aria-label={`${label}: ${percent(share)} used`}
        />
      )}
      {share >= 1 && limit != null && (
        <Text size="xs" c="red">
          {used > limit ? 'Above its limit: nothing is added' : 'Full'}
        </Text>
      )}
    </div>
  );
}
