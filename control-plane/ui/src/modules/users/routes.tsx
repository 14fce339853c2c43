import { IconUsers } from '@tabler/icons-react';
import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import type { MenuEntry } from '@/frame/menu';
import { insideRoute } from '@/frame/routes';
import { AGES, flag, listSearch, oneOf, searchOf, text } from '@/lib/search';

export const usersRoute = createRoute({
  getParentRoute: () => insideRoute,
  path: '/users',
  validateSearch: searchOf({
    ...listSearch,
    role: oneOf(['OWNER', 'ADMIN', 'BILLING', 'MEMBER']),
    state: oneOf(['active', 'suspended']),
    email_prefix: text,
    sort: oneOf([...AGES, 'email', '-email']),
    /** Who is open, and as whose: an id of theirs and one of a tenant. */
    user: text,
    of: text,
    /** Whether the dialogs to invite somebody, and to make an account, are open. */
    invite: flag,
    account: flag,
  }),
  component: lazyRouteComponent(() => import('./UsersPage'), 'UsersPage'),
});

export const invitationsRoute = createRoute({
  getParentRoute: () => insideRoute,
  path: '/users/invitations',
  validateSearch: searchOf({ ...listSearch, invite: flag }),
  component: lazyRouteComponent(() => import('./InvitationsPage'), 'InvitationsPage'),
});

export const tokensRoute = createRoute({
  getParentRoute: () => insideRoute,
  path: '/users/tokens',
  validateSearch: searchOf({ ...listSearch }),
  component: lazyRouteComponent(() => import('./TokensPage'), 'TokensPage'),
});

export const accountsRoute = createRoute({
  getParentRoute: () => insideRoute,
  path: '/users/accounts',
  validateSearch: searchOf({
    ...listSearch,
    staff: oneOf(['true', 'false']),
    state: oneOf(['active', 'suspended']),
    email_prefix: text,
  }),
  component: lazyRouteComponent(() => import('./AccountsPage'), 'AccountsPage'),
});

export const usersRoutes = [usersRoute, invitationsRoute, tokensRoute, accountsRoute] as const;

export const usersMenu: MenuEntry = {
  label: 'Users',
  icon: IconUsers,
  to: '/users',
  permission: 'users:read',
  shortcut: 'u',
};
