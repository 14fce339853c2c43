import { Button, Stack, Switch } from '@mantine/core';
import { useForm } from '@mantine/form';
import { api, ifMatch, unwrap } from '@/api/client';
import { inTenant } from '@/api/scope';
import { TheirsAlert } from '@/lib/forms/TheirsAlert';
import { useAction } from '@/lib/forms/useAction';
import { useTheirs } from '@/lib/forms/useTheirs';
import { ProblemAlert } from '@/lib/page/ProblemAlert';
import { type Values as Fields, WebhookFields } from './WebhookFields';
import type { Webhook } from './webhooks';

interface Values extends Fields {
  active: boolean;
}

function valuesOf({ name, url, events, active }: Webhook): Values {
  return { name, url, events, active };
}

export function WebhookEdit({ webhook, close }: { webhook: Webhook; close: () => void }) {
  const form = useForm<Values>({ initialValues: valuesOf(webhook) });
  const theirs = useTheirs(form, webhook, valuesOf);
  const action = useAction({
    form,
    run: (body: Values) => {
      const params = { path: { id: webhook.id }, query: inTenant() };
      return unwrap(api.PATCH('/api/admin/webhooks/{id}', { params, headers: ifMatch(theirs.version), body }));
    },
    changes: ['webhook'],
    theirs: theirs.load,
    done: close,
  });
  return (
    <form onSubmit={form.onSubmit((values) => action.mutate(values))}>
      <Stack gap="sm">
        <TheirsAlert theirs={theirs} />
        <WebhookFields form={form} />
        <Switch
          label="Active"
          description="Made active again, it begins with what happens from then on"
          {...form.getInputProps('active', { type: 'checkbox' })}
        />
        <ProblemAlert problem={action.problem} />
        <Button type="submit" loading={action.isPending} disabled={!form.isDirty()}>
          Save
        </Button>
      </Stack>
    </form>
  );
}
