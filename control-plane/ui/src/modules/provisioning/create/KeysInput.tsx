import { Textarea } from '@mantine/core';
import type { ReactNode } from 'react';

interface Props {
  value?: string;
  onChange: (value: string) => void;
  error?: ReactNode;
  'data-path'?: string;
}

/** OpenSSH public keys as people paste them: one a line. */
export function KeysInput({ onChange, ...rest }: Props) {
  return (
    <Textarea
      label="SSH keys"
      description="OpenSSH public keys, one a line, at most 32"
      placeholder="ssh-ed25519 AAAA… me@home"
      autosize
      minRows={3}
      maxRows={8}
      spellCheck={false}
      onChange={(event) => onChange(event.currentTarget.value)}
      {...rest}
      styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)', fontSize: 12 } }}
    />
  );
}

export function keysOf(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean);
}
