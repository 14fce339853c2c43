import { Button } from '@mantine/core';
import { IconLock } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import { EmptyState } from '@/lib/page/EmptyState';
import { Page } from '@/lib/page/Page';

/** In the place of a page that is not for the one who is signed in: a link led them here. */
export function RefusedPage({ title }: { title: string }) {
  return (
    <Page title={title}>
      <EmptyState
        icon={IconLock}
        title="You may not look at this here"
        action={
          <Button renderRoot={(props) => <Link to="/" {...props} />} variant="default">
            Go to the overview
          </Button>
        }
      >
        Ask an owner or an administrator of the tenant for a role that may. What is the platform's is for its staff.
      </EmptyState>
    </Page>
  );
}
