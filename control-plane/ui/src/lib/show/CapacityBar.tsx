import { Progress, Text } from '@mantine/core';
import { percent } from './units';

interface Props {
  /** Of what, for who does not see it. */
  label: string;
  used: number;
  total: number;
  show: (value: number) => string;
  /** What the taken part is. */
  word?: string;
}

const FULL = 0.95;
const MUCH = 0.8;

/** How much of something is taken. */
export function CapacityBar({ label, used, total, show, word = 'reserved' }: Props) {
  if (total <= 0) {
    return (
      <Text size="xs" c="dimmed">
        Not known
      </Text>
    );
  }
  const share = used / total;
  const color = share >= FULL ? 'red' : share >= MUCH ? 'yellow' : 'brand';
  return (
    // The browser's own: a list has hundreds of them.
    <div title={`${label}: ${show(used)} of ${show(total)} ${word} (${percent(share)})`}>
      <Text size="xs" style={{ whiteSpace: 'nowrap' }}>
        {show(used)}{' '}
        <Text span inherit c="dimmed">
          / {show(total)}
        </Text>
      </Text>
      <Progress
        value={Math.min(100, share * 100)}
        color={color}
        size={5}
        mt={3}
        aria-label={`${label}: ${percent(share)} ${word}`}
      />
    </div>
  );
}
