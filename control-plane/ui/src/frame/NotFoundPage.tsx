import { Button, Container } from '@mantine/core';
import { IconMapQuestion } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import { EmptyState } from '@/lib/page/EmptyState';
import { Page } from '@/lib/page/Page';

export function NotFoundPage() {
  return (
    <Container component="main" size="sm" py="xl">
      <Page title="Not found">
        <EmptyState
          icon={IconMapQuestion}
          title="There is no such page"
          action={
            <Button renderRoot={(props) => <Link to="/" {...props} />} variant="default">
              Go to the overview
            </Button>
          }
        >
          The link may be old, or what it showed may be gone.
        </EmptyState>
      </Page>
    </Container>
  );
}
