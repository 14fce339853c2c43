import { Button, Container, Group, Stack, Title } from '@mantine/core';
import { useQueryErrorResetBoundary } from '@tanstack/react-query';
import { type ErrorComponentProps, useRouter } from '@tanstack/react-router';
import { ProblemAlert } from '@/lib/page/ProblemAlert';
import { signOut } from './signOut';

/** In the place of a page that could not be shown. */
export function ErrorPage({ error, reset }: ErrorComponentProps) {
  const router = useRouter();
  const boundary = useQueryErrorResetBoundary();
  const retry = () => {
    boundary.reset();
    reset();
    void router.invalidate();
  };
  return (
    <Container component="main" size="sm" py="xl">
      <Stack>
        <Title order={1}>This page cannot be shown</Title>
        <ProblemAlert problem={error} retry={retry} />
        <Group>
          <Button variant="default" onClick={() => void router.navigate({ to: '/' })}>
            Go to the overview
          </Button>
          <Button variant="subtle" onClick={() => void signOut(() => router.navigate({ to: '/sign-in' }))}>
            Sign out
          </Button>
        </Group>
      </Stack>
    </Container>
  );
}
