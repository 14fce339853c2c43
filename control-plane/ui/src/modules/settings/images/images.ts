import { queryOptions } from '@tanstack/react-query';
import { api, unwrap } from '@/api/client';
import { key } from '@/api/keys';
import type { components, paths } from '@/api/schema';

export type Image = components['schemas']['Image'];

type ImagesQuery = NonNullable<paths['/api/platform/images']['get']['parameters']['query']>;

export function imagesQuery(query: ImagesQuery) {
  return queryOptions({
    queryKey: key('image', 'list', query),
    queryFn: ({ signal }) => unwrap(api.GET('/api/platform/images', { params: { query }, signal })),
  });
}

export function imageQuery(id: string) {
  return queryOptions({
    queryKey: key('image', 'one', id),
    queryFn: ({ signal }) => unwrap(api.GET('/api/platform/images/{id}', { params: { path: { id } }, signal })),
  });
}
