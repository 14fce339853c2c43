import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import { insideRoute } from '@/frame/routes';

const accountRoute = createRoute({
  getParentRoute: () => insideRoute,
  path: '/account',
  component: lazyRouteComponent(() => import('./AccountPage'), 'AccountPage'),
});

export const accountRoutes = [accountRoute] as const;
