import { Anchor, Code, Group, Skeleton, Stack, Text, Title } from '@mantine/core';
import { IconLock, IconLockOpen } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { ProblemAlert } from '@/lib/page/ProblemAlert';
import { Pill } from '@/lib/pills/Pill';
import { Facts } from '@/lib/show/Facts';
import { exact, Time } from '@/lib/show/Time';
import { number } from '@/lib/show/units';
import { Actor } from '@/modules/users/Actor';
import { type AuditRecord, recordQuery } from './audit';
import { DifferenceTable } from './DifferenceTable';
import { addressOf, differencesOf, nameOf, restOf } from './detail';

/** One record: what was changed, by whom, and how it is sealed. */
export function RecordDetail({ id }: { id: string }) {
  const query = useQuery(recordQuery(id));
  if (query.isPending) return <Skeleton h={320} />;
  const record = query.data;
  if (!record) return <ProblemAlert problem={query.error} retry={() => void query.refetch()} />;
  const { action, seq, created_at, detail } = record;
  const differences = differencesOf(detail);
  const rest = restOf(detail);
  return (
    <Stack gap="md">
      <div>
        <Group gap="xs">
          <Title order={3} fz="lg">
            {action}
          </Title>
          <Pill
            tone={seq == null ? 'busy' : 'good'}
            icon={seq == null ? IconLockOpen : IconLock}
            about="Sealed: its hash follows from the record before"
          >
            {seq == null ? 'Not sealed yet' : `No. ${number(seq)}`}
          </Pill>
        </Group>
        <Text size="sm" c="dimmed" component="div">
          <Time at={created_at} /> · {exact(created_at)}
        </Text>
      </div>
      <Known record={record} />
      {differences && (
        <Stack gap="xs">
          <Title order={3}>What changed</Title>
          <DifferenceTable differences={differences} />
        </Stack>
      )}
      {rest.length > 0 && (
        <Stack gap="xs">
          <Title order={3}>{differences ? 'More of it' : 'What it says'}</Title>
          <Facts facts={rest.map(([title, value]) => ({ title, value }))} />
        </Stack>
      )}
      <Seal record={record} />
    </Stack>
  );
}

function Known({ record }: { record: AuditRecord }) {
  const { actor, address, request_id, target_kind, target_id, tenant_name, actor_name, detail } = record;
  const name = nameOf(detail);
  return (
    <Facts
      facts={[
        {
          title: 'Who',
          value: (
            <>
              <Actor actor={actor} name={actor_name} /> <Only search={{ actor }} label="Only theirs" />
            </>
          ),
        },
        { title: 'From', value: address ?? addressOf(detail) },
        {
          title: 'About',
          isWide: true,
          value: (
            <>
              {target_kind} {name && <b>{name}</b>} <Only search={{ target_kind, target_id }} label="Only about this" />
              <Text size="xs" c="dimmed" ff="monospace">
                {target_id}
              </Text>
            </>
          ),
        },
        { title: 'Tenant', value: tenant_name ?? 'Platform' },
        { title: 'Request', isWide: true, value: request_id && <Code>{request_id}</Code> },
      ]}
    />
  );
}

interface Search {
  actor?: string;
  target_kind?: string;
  target_id?: string;
}

function Only({ search, label }: { search: Search; label: string }) {
  return (
    <Anchor size="xs" renderRoot={(props) => <Link to="/audit" search={search} {...props} />}>
      {label}
    </Anchor>
  );
}

function Seal({ record: { hash } }: { record: AuditRecord }) {
  if (!hash) return null;
  return (
    <Text size="xs" c="dimmed" component="div">
      SHA-256 of the hash before and this record:
      <Code block style={{ overflowWrap: 'anywhere', whiteSpace: 'pre-wrap' }}>
        {hash}
      </Code>
    </Text>
  );
}
