import { Text } from '@mantine/core';
import { modals } from '@mantine/modals';

/** Says that somebody else changed it meanwhile (412), and offers to load what they made of it. */
export function offerTheirs(load: () => void): void {
  modals.openConfirmModal({
    title: 'Somebody else changed it',
    children: (
      <Text size="sm">
        It was changed after you opened it, and your change was not made. Load theirs, then look whether yours is still
        needed.
      </Text>
    ),
    labels: { confirm: 'Load theirs', cancel: 'Stay here' },
    onConfirm: load,
  });
}
