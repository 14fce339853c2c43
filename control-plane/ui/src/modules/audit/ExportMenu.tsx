import { Button, Menu } from '@mantine/core';
import { IconChevronDown, IconDownload } from '@tabler/icons-react';
import { api, unwrap } from '@/api/client';
import { inTenant } from '@/api/scope';
import { useAction } from '@/lib/forms/useAction';
import { stringifySearch } from '@/lib/search';
import { useAuditFilter } from './search';

type Format = 'ndjson' | 'csv';

/** Takes what is filtered as a file. */
export function ExportMenu() {
  const filter = { ...useAuditFilter(), ...inTenant() };
  const take = useAction({
    // The browser itself loads the file, which may be large, and could not renew the sign-in: this does, and finds a wrong filter.
    run: (_: Format) => unwrap(api.GET('/api/admin/audit', { params: { query: { ...filter, limit: 1 } } })),
    tell: true,
  });
  const load = (format: Format) =>
    take.mutate(format, {
      onSuccess: () => download(`/api/admin/audit/export${stringifySearch({ format, ...filter })}`),
    });
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <Button
          variant="default"
          leftSection={<IconDownload aria-hidden size={16} />}
          rightSection={<IconChevronDown aria-hidden size={14} />}
          loading={take.isPending}
        >
          Export
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>What is filtered, the oldest first</Menu.Label>
        <Menu.Item onClick={() => load('ndjson')}>NDJSON: one JSON object a line</Menu.Item>
        <Menu.Item onClick={() => load('csv')}>CSV, for a spreadsheet</Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}

function download(url: string): void {
  const link = document.createElement('a');
  link.href = url;
  link.download = '';
  link.click();
}
