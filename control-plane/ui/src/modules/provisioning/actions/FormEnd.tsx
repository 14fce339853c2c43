import { Button, Group } from '@mantine/core';
import type { Problem } from '@/api/problem';
import { ProblemAlert } from '@/lib/page/ProblemAlert';

interface Props {
  action: { problem: Problem | null; isPending: boolean };
  label: string;
  close: () => void;
  isDanger?: boolean;
  disabled?: boolean;
}

/** What the form of a dialog ends with: what went wrong, and its buttons. */
export function FormEnd({ action, label, close, isDanger, disabled }: Props) {
  return (
    <>
      <ProblemAlert problem={action.problem} />
      <Group justify="flex-end" gap="xs">
        <Button variant="default" onClick={close}>
          Cancel
        </Button>
        <Button type="submit" color={isDanger ? 'red' : undefined} loading={action.isPending} disabled={disabled}>
          {label}
        </Button>
      </Group>
    </>
  );
}
