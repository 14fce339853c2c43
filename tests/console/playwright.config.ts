import { defineConfig } from '@playwright/test';

// One after the other, in one control plane: later tests use what earlier ones made.
export default defineConfig({
  testDir: '.',
  workers: 1,
  fullyParallel: false,
  forbidOnly: true,
  maxFailures: 1,
  // Each on a stage of its own.
  projects: [
    { name: 'hosts', testIgnore: ['fleet.spec.ts', 'provider.spec.ts'], outputDir: `${process.env.MPANEL_SCREENSHOTS}/failed` },
    { name: 'fleet', testMatch: 'fleet.spec.ts', outputDir: `${process.env.MPANEL_SCREENSHOTS}/failed-fleet` },
    { name: 'provider', testMatch: 'provider.spec.ts', outputDir: `${process.env.MPANEL_SCREENSHOTS}/failed-provider` },
  ],
  timeout: 180_000,
  expect: { timeout: 45_000 },
  reporter: [['list']],
  use: {
    baseURL: process.env.MPANEL_URL,
    actionTimeout: 45_000,
    navigationTimeout: 45_000,
    viewport: { width: 1360, height: 860 },
    trace: 'off',
    screenshot: 'only-on-failure',
    launchOptions: { executablePath: process.env.CHROMIUM, args: ['--no-sandbox'] },
  },
});
