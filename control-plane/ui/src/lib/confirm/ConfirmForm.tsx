import { Button, Group, Stack, Text, TextInput } from '@mantine/core';
import { type FormEvent, type ReactNode, useState } from 'react';
import type { Noun } from '@/api/keys';
import { useAction } from '../forms/useAction';
import { ProblemAlert } from '../page/ProblemAlert';

export interface ConfirmProps<R> {
  /** What will happen, and what will be lost. */
  children: ReactNode;
  /** What the button says: `Delete pve1`. */
  label: string;
  /** Has to be typed, where data can be lost: the thing's name. */
  typed?: string;
  /** Whether a reason can, or has to, be given. */
  reason?: 'optional' | 'required';
  /** Whether it takes something away. */
  isDanger?: boolean;
  changes?: Noun[];
  run: (reason: string) => Promise<R>;
  done?: (result: R) => void;
  close: () => void;
}

export function ConfirmForm<R>({
  children,
  label,
  typed,
  reason,
  isDanger,
  changes,
  run,
  done,
  close,
}: ConfirmProps<R>) {
  const [name, setName] = useState('');
  const [why, setWhy] = useState('');
  const action = useAction({
    run: () => run(why.trim()),
    changes,
    done: (result: R) => {
      close();
      done?.(result);
    },
  });
  const isReady = (!typed || name.trim() === typed) && (reason !== 'required' || why.trim() !== '');
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (isReady) action.mutate();
  };
  return (
    <form onSubmit={submit}>
      <Stack gap="sm">
        <Text size="sm" component="div">
          {children}
        </Text>
        {reason && (
          <TextInput
            label="Reason"
            description="Shown with the state, and kept in the audit"
            required={reason === 'required'}
            maxLength={500}
            data-autofocus
            value={why}
            onChange={(event) => setWhy(event.currentTarget.value)}
          />
        )}
        {typed && (
          <TextInput
            label={
              <>
                Type <b>{typed}</b> to confirm
              </>
            }
            autoComplete="off"
            spellCheck={false}
            data-autofocus={!reason || undefined}
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
          />
        )}
        <ProblemAlert problem={action.problem} />
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={close}>
            Back
          </Button>
          <Button type="submit" color={isDanger ? 'red' : undefined} disabled={!isReady} loading={action.isPending}>
            {label}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
