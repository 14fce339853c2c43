import { Anchor } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { Time } from '@/lib/show/Time';
import { Actor } from '@/modules/users/Actor';
import type { Overview } from './customers';
import { Rows } from './Rows';

export function EventsPart({ overview: { events, customer } }: { overview: Overview }) {
  return (
    <Rows
      title="Events"
      empty="Nothing happened yet."
      items={events}
      rowKey={({ at, action, target_id }) => `${at} ${action} ${target_id}`}
      columns={[
        { title: 'When', show: ({ at }) => <Time at={at} /> },
        {
          title: 'What',
          show: ({ action, target_kind, target_id }) => (
            <Anchor
              size="sm"
              renderRoot={(props) => <Link to="/audit" search={{ target_kind, target_id }} {...props} />}
            >
              {action}
            </Anchor>
          ),
        },
        { title: 'Who', show: ({ actor, actor_name }) => <Actor actor={actor} name={actor_name} /> },
      ]}
      all={
        <Anchor
          size="sm"
          renderRoot={(props) => <Link to="/audit" search={{ tenant: customer.tenant_id }} {...props} />}
        >
          All of it, in the audit
        </Anchor>
      }
    />
  );
}
