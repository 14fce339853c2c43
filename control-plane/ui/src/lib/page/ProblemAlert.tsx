import { Alert, Button, List, Stack, Text } from '@mantine/core';
import { IconAlertTriangle } from '@tabler/icons-react';
import { problemOf } from '@/api/problem';

interface Props {
  /** What was thrown; nothing is shown without. */
  problem: unknown;
  title?: string;
  /** Offers to try again. */
  retry?: () => void;
}

/** What went wrong, in the server's words, with what support asks for. */
export function ProblemAlert({ problem, title, retry }: Props) {
  if (!problem) return null;
  const { status, message, errors, requestId } = problemOf(problem);
  return (
    <Alert color="red" icon={<IconAlertTriangle aria-hidden />} title={title} role="alert">
      <Stack gap="xs" align="flex-start">
        <Text size="sm">{message}</Text>
        {errors.length > 0 && (
          <List size="sm">
            {errors.map(({ field, message: wrong }) => (
              <List.Item key={`${field} ${wrong}`}>
                <b>{field}</b> {wrong}
              </List.Item>
            ))}
          </List>
        )}
        {/* What one may not do does not change by trying. */}
        {retry && status !== 403 && (
          <Button size="xs" variant="default" onClick={retry}>
            Try again
          </Button>
        )}
        {requestId && (
          <Text size="xs" c="dimmed" ff="monospace">
            Request {requestId}
          </Text>
        )}
      </Stack>
    </Alert>
  );
}
