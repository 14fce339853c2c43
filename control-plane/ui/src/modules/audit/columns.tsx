import { Stack, Text } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { useScope } from '@/api/me';
import { type Column, rowLink } from '@/lib/list/List';
import { Time } from '@/lib/show/Time';
import { Actor } from '@/modules/users/Actor';
import type { AuditRecord } from './audit';
import { addressOf, nameOf } from './detail';

export function useAuditColumns(): Column<AuditRecord>[] {
  const { isPlatform } = useScope();
  const tenant: Column<AuditRecord> = {
    key: 'tenant',
    title: 'Tenant',
    from: 'md',
    show: ({ tenant_name }) => tenant_name ?? 'Platform',
  };
  return [...COLUMNS, ...(isPlatform ? [tenant] : [])];
}

const COLUMNS: Column<AuditRecord>[] = [
  {
    key: 'action',
    title: 'Action',
    show: ({ id, action }) => (
      <Link from="/audit" to="/audit" search={(before) => ({ ...before, record: id })} {...rowLink}>
        {action}
      </Link>
    ),
  },
  {
    key: 'target',
    title: 'About',
    show: ({ target_kind, target_id, detail }) => (
      <Stack gap={0} miw={0}>
        <Text size="sm" style={{ overflowWrap: 'anywhere' }}>
          {nameOf(detail) ?? `${target_kind} ${target_id.length === 36 ? `…${target_id.slice(-6)}` : target_id}`}
        </Text>
        {nameOf(detail) && (
          <Text size="xs" c="dimmed">
            {target_kind}
          </Text>
        )}
      </Stack>
    ),
  },
  { key: 'actor', title: 'Who', show: ({ actor, actor_name }) => <Actor actor={actor} name={actor_name} /> },
  { key: 'address', title: 'From', from: 'md', show: ({ address, detail }) => address ?? addressOf(detail) ?? '–' },
  {
    key: 'created_at',
    title: 'When',
    sort: 'created_at',
    width: 140,
    show: ({ created_at }) => <Time at={created_at} />,
  },
];
