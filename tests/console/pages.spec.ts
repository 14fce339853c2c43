// Each page, light and dark, on a desktop and a phone: axe finds nothing, nothing breaks, and a picture of it is kept.
import { expect, test } from '@playwright/test';
import { accessible, fresh, settled, signIn, STAFF } from './stage';

const PAGES: Record<string, string> = {
  overview: '/',
  servers: '/servers',
  server: '/servers/pve1',
  'server-pods': '/servers/pve1?tab=pods',
  'server-health': '/servers/pve1?tab=health',
  'server-storages': '/servers/pve1?tab=storages',
  'server-drift': '/servers/pve1?tab=drift',
  'server-drain': '/servers/pve1?tab=drain',
  'server-agent': '/servers/pve1?tab=agent',
  cloudpods: '/provisioning/cloudpods',
  'cloudpod-new': '/provisioning/cloudpods/new',
  jobs: '/provisioning/jobs',
  users: '/users',
  invitations: '/users/invitations',
  tokens: '/users/tokens',
  customers: '/customers',
  audit: '/audit',
  tenants: '/settings/tenants',
  plans: '/settings/plans',
  images: '/settings/images',
  pools: '/settings/ip-pools',
  webhooks: '/settings/webhooks',
  account: '/account',
};
const SIZES = { desktop: { width: 1360, height: 860 }, phone: { width: 360, height: 740 } };

for (const colorScheme of ['light', 'dark'] as const) {
  for (const [size, viewport] of Object.entries(SIZES)) {
    test(`every page, ${colorScheme}, on a ${size}`, async ({ browser }) => {
      test.setTimeout(600_000);
      const { page, check } = await fresh(browser, { colorScheme, viewport, reducedMotion: 'reduce' });
      await page.goto('/sign-in');
      await expect(page.getByRole('button', { name: 'Sign in', exact: true })).toBeVisible();
      await accessible(page, 'the sign-in');
      await page.screenshot({ path: `${process.env.MPANEL_SCREENSHOTS}/sign-in-${colorScheme}-${size}.png` });
      await signIn(page, STAFF);
      for (const [name, path] of Object.entries(PAGES)) {
        await page.goto(path);
        await settled(page, name);
        await accessible(page, `${name}, ${colorScheme}, ${size}`);
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
        expect(wide, `${name} is no wider than the screen`).toBeLessThanOrEqual(0);
        await page.screenshot({ path: `${process.env.MPANEL_SCREENSHOTS}/${name}-${colorScheme}-${size}.png` });
      }
      check();
    });
  }
}
