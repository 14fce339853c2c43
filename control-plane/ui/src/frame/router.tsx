import { createRouter } from '@tanstack/react-router';
import { onSignedOut } from '@/api/session';
import { PageSkeleton } from '@/lib/page/PageSkeleton';
import { parseSearch, stringifySearch } from '@/lib/search';
import { moduleRoutes } from '@/modules';
import { entryRoutes } from './entry/routes';
import { forget } from './forget';
import { insideRoute, rootRoute } from './routes';

export const router = createRouter({
  routeTree: rootRoute.addChildren([insideRoute.addChildren(moduleRoutes), ...entryRoutes]),
  parseSearch,
  stringifySearch,
  defaultPreload: 'intent',
  // The data is TanStack Query's to keep.
  defaultPreloadStaleTime: 0,
  defaultPendingComponent: PageSkeleton,
  scrollRestoration: true,
});

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}

onSignedOut(() => {
  const { pathname, href } = router.state.location;
  if (pathname === '/sign-in') return;
  forget();
  void router.navigate({ to: '/sign-in', search: { back: href, tenant: undefined } });
});
