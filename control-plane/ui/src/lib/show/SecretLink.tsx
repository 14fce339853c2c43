import { Alert, Text } from '@mantine/core';
import { Secret } from './Secret';

interface Props {
  /** What the link is, for people. */
  label: string;
  /** The page that takes it. */
  page: string;
  /** Null: it was mailed. */
  secret: string | null | undefined;
  /** Whose it is. */
  email: string;
}

/** A link that lets somebody in: mailed to them, or where no mails are sent, shown this once. */
export function SecretLink({ label, page, secret, email }: Props) {
  if (!secret) return <Text size="sm">A mail with the link is on its way to {email}.</Text>;
  return (
    <>
      <Alert color="yellow">
        Copy the link now and give it to {email}: it is shown this once, and mPanel sends no mails here.
      </Alert>
      <Secret value={`${location.origin}${page}#${secret}`} label={label} />
    </>
  );
}
