// All modules, in one place: their routes, and their entries of the menu in its order.
import { accountRoutes } from './account/routes';
import { auditMenu, auditRoutes } from './audit/routes';
import { customersMenu, customersRoutes } from './customers/routes';
import { overviewMenu, overviewRoutes } from './overview/routes';
import { provisioningMenu, provisioningRoutes } from './provisioning/routes';
import { serversMenu, serversRoutes } from './servers/routes';
import { settingsMenu, settingsRoutes } from './settings/routes';
import { usersMenu, usersRoutes } from './users/routes';

export const moduleRoutes = [
  ...overviewRoutes,
  ...serversRoutes,
  ...provisioningRoutes,
  ...usersRoutes,
  ...customersRoutes,
  ...auditRoutes,
  ...settingsRoutes,
  ...accountRoutes,
];

export const menu = [
  overviewMenu,
  serversMenu,
  ...provisioningMenu,
  usersMenu,
  customersMenu,
  auditMenu,
  ...settingsMenu,
];
