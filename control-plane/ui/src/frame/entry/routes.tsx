// The pages for those who are not signed in. Two of them are where mails lead: their secret stands after the `#`, which no browser
// sends to anybody.
import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import { searchOf, text } from '@/lib/search';
import { rootRoute } from '../routes';

const signInRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/sign-in',
  validateSearch: searchOf({ back: text }),
  component: lazyRouteComponent(() => import('./SignInPage'), 'SignInPage'),
});

const forgottenRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/forgot-password',
  component: lazyRouteComponent(() => import('./ForgottenPage'), 'ForgottenPage'),
});

const resetRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/reset-password',
  component: lazyRouteComponent(() => import('./ResetPage'), 'ResetPage'),
});

const acceptRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/accept-invitation',
  component: lazyRouteComponent(() => import('./AcceptPage'), 'AcceptPage'),
});

const setUpRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/setup',
  component: lazyRouteComponent(() => import('./SetUpPage'), 'SetUpPage'),
});

export const entryRoutes = [signInRoute, forgottenRoute, resetRoute, acceptRoute, setUpRoute] as const;
