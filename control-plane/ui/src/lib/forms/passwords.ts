const MIN = 12;
const MAX = 256;

/** What is wrong with a new password; the server decides. */
export function passwordFault(password: string | undefined): string | null {
  const length = [...(password ?? '')].length;
  return length < MIN || length > MAX ? `Must be ${MIN} to ${MAX} characters` : null;
}
