import { IconHistory } from '@tabler/icons-react';
import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import type { MenuEntry } from '@/frame/menu';
import { insideRoute } from '@/frame/routes';
import { AGES, flag, listSearch, oneOf, searchOf, text } from '@/lib/search';

export const auditRoute = createRoute({
  getParentRoute: () => insideRoute,
  path: '/audit',
  validateSearch: searchOf({
    ...listSearch,
    actor: text,
    action: text,
    target_kind: text,
    target_id: text,
    since: text,
    until: text,
    sort: oneOf(AGES),
    /** The record that is open. */
    record: text,
    /** Whether the dialog to prove the chain is open. */
    verify: flag,
  }),
  component: lazyRouteComponent(() => import('./AuditPage'), 'AuditPage'),
});

export const auditRoutes = [auditRoute] as const;

export const auditMenu: MenuEntry = {
  label: 'Audit',
  icon: IconHistory,
  to: '/audit',
  permission: 'audit:read',
  shortcut: 'a',
};
