import { IconUsers } from '@tabler/icons-react';
import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import type { MenuEntry } from '@/frame/menu';
import { insideRoute } from '@/frame/routes';
import { listSearch, oneOf, searchOf, text } from '@/lib/search';

export const usersRoute = createRoute({
  getParentRoute: () => insideRoute,
  path: '/users',
  validateSearch: searchOf({
    ...listSearch,
    role: oneOf(['OWNER', 'ADMIN', 'BILLING', 'MEMBER']),
    state: oneOf(['active', 'suspended']),
    email_prefix: text,
  }),
  component: lazyRouteComponent(() => import('./UsersPage'), 'UsersPage'),
});

export const usersRoutes = [usersRoute] as const;

export const usersMenu: MenuEntry = {
  label: 'Users',
  icon: IconUsers,
  to: '/users',
  permission: 'users:read',
  shortcut: 'u',
};
