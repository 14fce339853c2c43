import { Button, Stack } from '@mantine/core';
import { useForm } from '@mantine/form';
import { api, ifMatch, unwrap } from '@/api/client';
import { TheirsAlert } from '@/lib/forms/TheirsAlert';
import { useAction } from '@/lib/forms/useAction';
import { useTheirs } from '@/lib/forms/useTheirs';
import { OpenDrawer } from '@/lib/open/OpenDrawer';
import { useOpen } from '@/lib/open/useOpen';
import { ProblemAlert } from '@/lib/page/ProblemAlert';
import { type Limits, limitsOf, limitsTyped, QuotaFields } from './QuotaFields';
import type { Quotas, Tenant } from './tenants';

interface Props {
  tenant: Tenant;
  quotas: Quotas;
  /** Of the quotas. */
  version: number;
}

export function QuotasDrawer(props: Props) {
  const { open } = useOpen('quotas');
  return (
    <>
      <Button size="xs" variant="default" onClick={() => open(true)}>
        Change the quotas
      </Button>
      <OpenDrawer name="quotas" title={`Quotas of ${props.tenant.name}`}>
        {(_, close) => <Form {...props} close={close} />}
      </OpenDrawer>
    </>
  );
}

function Form({ tenant: { id }, quotas, version, close }: Props & { close: () => void }) {
  const form = useForm<Limits>({ initialValues: limitsTyped(quotas) });
  const theirs = useTheirs(form, { version, quotas }, (one) => limitsTyped(one.quotas));
  const action = useAction({
    form,
    run: (limits: Limits) => {
      const params = { path: { id } };
      const body = limitsOf(limits);
      return unwrap(api.PATCH('/api/admin/tenants/{id}/quotas', { params, headers: ifMatch(theirs.version), body }));
    },
    changes: ['quota', 'tenant', 'customer'],
    theirs: theirs.load,
    done: close,
  });
  return (
    <form onSubmit={form.onSubmit((values) => action.mutate(values))}>
      <Stack gap="sm">
        <TheirsAlert theirs={theirs} />
        <QuotaFields propsOf={(name) => form.getInputProps(name)} />
        <ProblemAlert problem={action.problem} />
        <Button type="submit" loading={action.isPending} disabled={!form.isDirty()}>
          Save the quotas
        </Button>
      </Stack>
    </form>
  );
}
