import { Alert, Button, Group, Skeleton, Stack, Text, Title } from '@mantine/core';
import { IconAlertTriangle, IconCircleCheck } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import type { components } from '@/api/schema';
import { ProblemAlert } from '@/lib/page/ProblemAlert';
import { Section } from '@/lib/page/Section';
import { Time } from '@/lib/show/Time';
import { number } from '@/lib/show/units';
import classes from './Attention.module.css';
import { invariantsQuery, offlineQuery } from './overview';
import { Subject } from './Subject';
import { titleOf } from './titles';

type Invariant = components['schemas']['Invariant'];

/** Of one kind, before one asks for more. */
const SHOWN = 3;

/** What is not as it must be: since when, what to do, and where. */
export function Attention() {
  const query = useQuery(invariantsQuery());
  const offline = useQuery(offlineQuery());
  const away = offline.data?.items ?? [];
  const wrong = query.data?.checks.filter((check) => !check.ok) ?? [];
  // The checks look at the whole fleet, which may take its time: what else is known does not wait for them.
  if (away.length === 0 && (query.isPending || offline.isPending)) {
    return <Skeleton h={64} aria-busy="true" aria-label="Looking at what needs attention" />;
  }
  if (away.length === 0 && !query.data) {
    return (
      <ProblemAlert problem={query.error} title="Whether all is well is not known" retry={() => void query.refetch()} />
    );
  }
  if (query.data && offline.data && wrong.length === 0 && away.length === 0) {
    return (
      <Alert color="green" icon={<IconCircleCheck aria-hidden />} title="Nothing needs attention">
        All {query.data.checks.length} checks hold and no server is offline; looked at{' '}
        <Time at={query.data.checked_at} />.
      </Alert>
    );
  }
  return (
    <Section
      title="Needs attention"
      about={query.data ? <Looked checks={query.data.checks} at={query.data.checked_at} /> : 'Looking at the rest'}
    >
      <ProblemAlert problem={offline.error} title="Whether servers are offline is not known" />
      <ProblemAlert
        problem={query.error}
        title={query.data ? 'This is how it was before' : 'Whether the rest is well is not known'}
        retry={() => void query.refetch()}
      />
      <Stack gap="md">
        {away.length > 0 && (
          <Kind title="Servers are offline" holds="Every agent that was enrolled is heard">
            {away.map(({ id, name, connection }) => (
              <li key={id} className={classes.item}>
                <Link to="/servers/$server" params={{ server: name }}>
                  {name}
                </Link>{' '}
                since <Time at={connection.since} />
                <Text size="xs" c="dimmed">
                  What runs on it may well run on. See whether the host and its agent do; declare it lost only if it
                  will not come back.
                </Text>
              </li>
            ))}
            {offline.data?.next_page_token && (
              <li className={classes.item}>
                <Link to="/servers" search={{ connection: 'offline' }}>
                  All that are offline
                </Link>
              </li>
            )}
          </Kind>
        )}
        {wrong.map((check) => (
          <Check key={check.name} check={check} />
        ))}
      </Stack>
    </Section>
  );
}

function Looked({ checks, at }: { checks: Invariant[]; at: string }) {
  const wrong = checks.filter((check) => !check.ok).length;
  return (
    <>
      {wrong === 0 ? `All ${checks.length} checks hold` : `${wrong} of ${checks.length} checks do not hold`}; looked at{' '}
      <Time at={at} />
    </>
  );
}

function Check({ check: { name, holds, items, more } }: { check: Invariant }) {
  const [isAll, setAll] = useState(false);
  const shown = isAll ? items : items.slice(0, SHOWN);
  return (
    <>
      <Kind title={titleOf(name)} holds={holds} count={more ? `${items.length}+` : number(items.length)}>
        {shown.map(({ subject, since, detail, cure }) => (
          <li key={`${subject} ${detail}`} className={classes.item}>
            <Subject subject={subject} />
            {since && (
              <>
                {' '}
                since <Time at={since} />
              </>
            )}
            <Text size="sm">{detail}</Text>
            <Text size="xs" c="dimmed">
              {cure.replaceAll('`', '')}
            </Text>
          </li>
        ))}
      </Kind>
      {items.length > SHOWN && (
        <Group>
          <Button size="compact-xs" variant="subtle" aria-expanded={isAll} onClick={() => setAll(!isAll)}>
            {isAll ? 'Fewer' : `All ${number(items.length)} of “${titleOf(name)}”`}
          </Button>
        </Group>
      )}
    </>
  );
}

interface KindProps {
  title: string;
  /** What would be so if all were well. */
  holds: string;
  count?: string;
  children: React.ReactNode;
}

function Kind({ title, holds, count, children }: KindProps) {
  return (
    <div>
      <Group gap={6} mb={4} align="center">
        <IconAlertTriangle aria-hidden size={16} className={classes.sign} />
        <Title order={3} size="sm">
          {title}
          {count && ` (${count})`}
        </Title>
        <Text size="xs" c="dimmed">
          Should be: {holds}
        </Text>
      </Group>
      <ul className={classes.items}>{children}</ul>
    </div>
  );
}
