import type { TablerIcon } from '@tabler/icons-react';
import type { NavigateOptions } from '@tanstack/react-router';
import type { Permission } from '@/api/me';

/** A module's entry of the menu. */
export interface MenuEntry {
  label: string;
  icon: TablerIcon;
  /** A route's path. */
  to: NonNullable<NavigateOptions['to']>;
  /** Without it the entry is not shown. */
  permission: Permission;
  /** Where it is of use: the platform's view alone, a tenant's alone, or both. */
  where?: 'platform' | 'tenant';
  /** The key that leads there after `g`. */
  shortcut?: string;
}
