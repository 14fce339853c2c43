// Signing in by a provider: a real one, in a process of its own.
import { expect, type Page, test } from '@playwright/test';
import { accessible, OWNER, settled } from './stage';

const PROVIDER = process.env.PROVIDER ?? '';

/** Whoever comes to the provider from now on is this person. */
async function comes(email: string): Promise<void> {
  const person = { sub: email, email, email_verified: true, name: email };
  const answer = await fetch(`${PROVIDER}/who`, { method: 'PUT', body: JSON.stringify(person) });
  expect(answer.status).toBe(204);
}

async function byProvider(page: Page): Promise<void> {
  await page.getByRole('link', { name: /corp/ }).click();
}

test('who is known here comes in, to where they were going', async ({ page }) => {
  await comes(OWNER);
  await page.goto('/users?sort=email');
  await expect(page.getByRole('link', { name: /corp/ })).toBeVisible();
  await accessible(page, 'sign-in with a provider');
  await byProvider(page);
  await settled(page, 'signed in');
  await expect(page.getByRole('navigation', { name: 'Modules' })).toBeVisible();
  await expect(page).toHaveURL(/\/users\?sort=email$/);
  await page.goto('/');
  await expect(page, 'once').toHaveURL(/\/$/);
  await page.goto('/account');
  await expect(page.getByText(OWNER).first()).toBeVisible();
});

test('who is not is told so where they can begin anew', async ({ page }) => {
  await comes('stranger@home.example');
  await page.goto('/users?sort=email');
  await byProvider(page);
  await expect(page.getByRole('alert')).toContainText(/account/);
  await expect(page.getByLabel('E-mail address')).toBeVisible();
  await accessible(page, 'turned away by a provider');
  await comes(OWNER);
  // The provider would know who came before.
  await page.context().clearCookies();
  await byProvider(page);
  await expect(page, 'it is not forgotten').toHaveURL(/\/users\?sort=email$/);
});

for (const back of ['//evil.example/', '/\\evil.example/', '/\t/evil.example/', '/.//evil.example/', 'https://evil.example/']) {
  test(`a link that would lead elsewhere leads to the overview: ${JSON.stringify(back)}`, async ({ page }) => {
    await comes(OWNER);
    await page.goto(`/sign-in?back=${encodeURIComponent(back)}`);
    await byProvider(page);
    await expect(page.getByRole('navigation', { name: 'Modules' })).toBeVisible();
    expect(page.url()).toBe(new URL('/', page.url()).href);
  });
}
