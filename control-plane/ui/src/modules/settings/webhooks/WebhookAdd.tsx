import { Alert, Button, Stack } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useState } from 'react';
import { api, unwrap } from '@/api/client';
import { inTenant } from '@/api/scope';
import { useAction } from '@/lib/forms/useAction';
import { ProblemAlert } from '@/lib/page/ProblemAlert';
import { Secret } from '@/lib/show/Secret';
import { type Values, WebhookFields } from './WebhookFields';

const EMPTY: Values = { name: '', url: '', events: [] };

export function WebhookAdd({ close }: { close: () => void }) {
  const [secret, setSecret] = useState<string>();
  const form = useForm<Values>({ initialValues: EMPTY });
  const action = useAction({
    form,
    run: (body: Values) => unwrap(api.POST('/api/admin/webhooks', { params: { query: inTenant() }, body })),
    changes: ['webhook'],
    done: (made) => setSecret(made.secret),
  });
  if (secret) return <ShownOnce secret={secret} close={close} />;
  return (
    <form onSubmit={form.onSubmit((values) => action.mutate(values))}>
      <Stack gap="sm">
        <WebhookFields form={form} />
        <ProblemAlert problem={action.problem} />
        <Button type="submit" loading={action.isPending}>
          Add the webhook
        </Button>
      </Stack>
    </form>
  );
}

export function ShownOnce({ secret, close }: { secret: string; close: () => void }) {
  return (
    <Stack gap="sm">
      <Alert color="yellow">
        Copy the secret now, for the receiver to check signatures with: it is shown this once.
      </Alert>
      <Secret value={secret} label="Secret of the webhook" />
      <Button onClick={close}>Done</Button>
    </Stack>
  );
}
