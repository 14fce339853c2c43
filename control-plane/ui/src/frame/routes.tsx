// The two routes that all others stand below: the root, and the one inside of which one has to be signed in.
import { createRootRoute, createRoute, lazyRouteComponent, redirect, retainSearchParams } from '@tanstack/react-router';
import { meQuery } from '@/api/me';
import { problemOf } from '@/api/problem';
import { queries } from '@/api/queries';
import { setTenant } from '@/api/scope';
import { csrfToken } from '@/api/session';
import { searchOf, text } from '@/lib/search';
import { ErrorPage } from './ErrorPage';
import { forget } from './forget';
import { NotFoundPage } from './NotFoundPage';
import { tenantKept, tenantLast } from './tenant';

interface RootSearch {
  /** Whose data is looked at; without: staff see the platform, others their only tenant. */
  tenant?: string;
}

const readRoot = searchOf({ tenant: text });

export const rootRoute = createRootRoute({
  validateSearch: (raw: Record<string, unknown>): RootSearch => readRoot(raw),
  search: { middlewares: [retainSearchParams<RootSearch>(['tenant'])] },
  beforeLoad: ({ search, preload }) => {
    // To point at a link, which loads its page ahead, is not to go there.
    if (preload) return;
    // Nothing that was read of one tenant may be shown as another's.
    if (setTenant(search.tenant)) forget();
  },
  errorComponent: ErrorPage,
  notFoundComponent: NotFoundPage,
});

export const insideRoute = createRoute({
  getParentRoute: () => rootRoute,
  id: 'inside',
  beforeLoad: async ({ location, search, preload }) => {
    if (preload) return;
    const signIn = () => redirect({ to: '/sign-in', search: { back: location.href, tenant: undefined } });
    if (!csrfToken()) throw signIn();
    const me = await queries.ensureQueryData(meQuery()).catch((cause: unknown) => {
      const problem = problemOf(cause);
      if (problem.status === 401) throw signIn();
      // Not, or no longer, one of theirs.
      if (problem.status === 404 && search.tenant) throw redirect({ to: '/', search: { tenant: undefined } });
      throw problem;
    });
    const active = me.memberships.filter((one) => one.active);
    if (!me.staff && !search.tenant && active.length > 1) {
      const last = active.find((one) => one.tenant_id === tenantLast()) ?? active[0];
      throw redirect({ to: location.pathname, search: { ...location.search, tenant: last?.tenant_id }, replace: true });
    }
    tenantKept(search.tenant);
  },
  component: lazyRouteComponent(() => import('./Shell'), 'Shell'),
  errorComponent: ErrorPage,
});
