import { Anchor, Skeleton, Stack, Text } from '@mantine/core';
import { IconPhoto, IconZoomExclamation } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useCan } from '@/api/me';
import { FilterSelect, Filters, useIsFiltered } from '@/lib/list/Filters';
import { type Column, List, rowLink } from '@/lib/list/List';
import { OpenDrawer } from '@/lib/open/OpenDrawer';
import { EmptyState } from '@/lib/page/EmptyState';
import { Page } from '@/lib/page/Page';
import { ProblemAlert } from '@/lib/page/ProblemAlert';
import { gib } from '@/lib/show/units';
import { ACTIVE_OPTIONS, ActivePill, isTrue } from '../ActivePill';
import { AddButton } from '../AddButton';
import { imagesRoute } from '../routes';
import { ImageAdd, ImageEdit } from './ImageForm';
import { type Image, imageQuery, imagesQuery } from './images';

const FILTERS = ['active'];

export function ImagesPage() {
  const { limit, page_token, active } = imagesRoute.useSearch();
  const can = useCan();
  const query = useQuery(imagesQuery({ limit, page_token, active: isTrue(active) }));
  const mayWrite = can('images:write');
  return (
    <Page
      title="Images"
      about="Templates under the names that customers see"
      actions={mayWrite && <AddButton label="Add an image" />}
    >
      <Filters names={FILTERS}>
        <FilterSelect name="active" label="State" options={ACTIVE_OPTIONS} />
      </Filters>
      <List label="Images" query={query} rowKey={(image) => image.id} columns={COLUMNS} empty={<Nothing />} />
      <OpenDrawer name="image" title="Image">
        {(id, close) => <Opened id={id} close={close} />}
      </OpenDrawer>
      {mayWrite && (
        <OpenDrawer name="add" title="Add an image">
          {(_, close) => <ImageAdd close={close} />}
        </OpenDrawer>
      )}
    </Page>
  );
}

const COLUMNS: Column<Image>[] = [
  {
    key: 'name',
    title: 'Name',
    show: ({ id, name, os }) => (
      <Stack gap={0}>
        <Link
          from="/settings/images"
          to="/settings/images"
          search={(before) => ({ ...before, image: id })}
          {...rowLink}
        >
          {name}
        </Link>
        <Text size="xs" c="dimmed">
          {os}
        </Text>
      </Stack>
    ),
  },
  {
    key: 'active',
    title: 'State',
    show: ({ active }) => <ActivePill active={active} about="No new CloudPods are made of it" />,
  },
  { key: 'tenant', title: 'For', show: ({ tenant_name }) => tenant_name ?? 'Everybody' },
  {
    key: 'template',
    title: 'Template',
    show: ({ template_vmid, template_name, templates }) => (
      <Stack gap={0}>
        <Text size="sm">{template_name ?? (template_vmid == null ? '–' : `VMID ${template_vmid}`)}</Text>
        {templates.length > 0 && (
          <Text size="xs" c="dimmed">
            {templates.length === 1 ? 'Another one on 1 server' : `Others on ${templates.length} servers`}
          </Text>
        )}
      </Stack>
    ),
  },
  { key: 'user', title: 'User', from: 'md', show: ({ default_user }) => default_user },
  {
    key: 'disk',
    title: 'Least disk',
    from: 'md',
    show: ({ min_disk_gib }) => (min_disk_gib ? gib(min_disk_gib) : '–'),
  },
];

function Opened({ id, close }: { id: string; close: () => void }) {
  const query = useQuery(imageQuery(id));
  if (query.isPending) return <Skeleton h={320} />;
  if (!query.data) return <ProblemAlert problem={query.error} retry={() => void query.refetch()} />;
  return <ImageEdit image={query.data} close={close} />;
}

function Nothing() {
  const isFiltered = useIsFiltered(FILTERS);
  if (!isFiltered) {
    return (
      <EmptyState icon={IconPhoto} title="There are no images yet">
        Make a VM template with cloud-init on your servers, then add it here under a name for customers.
      </EmptyState>
    );
  }
  return (
    <EmptyState icon={IconZoomExclamation} title="No image is like this">
      <Anchor renderRoot={(props) => <Link to="/settings/images" {...props} />}>Show all images</Anchor>.
    </EmptyState>
  );
}
