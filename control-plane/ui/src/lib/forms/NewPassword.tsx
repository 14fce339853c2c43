import { PasswordInput, type PasswordInputProps } from '@mantine/core';

/** A password that somebody chooses: what the API takes, and what password managers are to offer. */
export function NewPassword({ label = 'New password', ...props }: PasswordInputProps) {
  return (
    <PasswordInput label={label} description="12 to 256 characters" autoComplete="new-password" required {...props} />
  );
}
