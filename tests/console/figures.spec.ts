// Figures, bars and plots say what the API says.
import { expect, type Locator, test } from '@playwright/test';
import { accessible, api, dialog, first, fresh, STAFF, signIn } from './stage';

interface Part {
  reserved: number;
  total: number;
}

interface Server {
  id: string;
  name: string;
  capacity: { vcpu: number; memory_mib: number };
  reserved: { vcpu: number; memory_mib: number; pods: number };
  storages: { capacity_gib: number; reserved_gib: number }[];
}

interface Sample {
  at: string;
  cpu_load: number;
  memory_used_mib: number;
  memory_total_mib: number;
  storage_used_gib: number;
  storage_total_gib: number;
}

interface Health {
  score: number;
  parts: { name: string; weight: number; score: number; reason: string }[];
}

const number = (value: number) => value.toLocaleString('en');
const fine = (value: number) => number(Math.round(value * 10) / 10);
const percent = (share: number) => `${Math.round(share * 100)} %`;
/** As people read it: in the unit that leaves no more than four digits. */
const mib = (value: number) => (value < 1024 ? `${number(Math.round(value))} MiB` : gib(value / 1024));
const gib = (value: number) => (value < 1024 ? `${fine(value)} GiB` : `${fine(value / 1024)} TiB`);
const ofAll = ({ reserved, total }: Part, show: (value: number) => string) => `${show(reserved)} / ${show(total)}`;

/** How much of its track a bar takes as it is drawn, in percents. */
const drawn = (bar: Locator) =>
  bar.evaluate((one) => (100 * one.getBoundingClientRect().width) / (one.parentElement?.getBoundingClientRect().width ?? 0));

/** The table behind a plot: what is shown at each time. */
async function tableOf(plot: Locator): Promise<Map<string, string[]>> {
  await plot.getByRole('button', { name: /show a table$/ }).click();
  const rows = await plot
    .getByRole('table')
    .locator('tbody tr')
    .evaluateAll((all) =>
      all.map((row): [string, string[]] => [
        row.querySelector('time')?.getAttribute('datetime') ?? '',
        [...row.querySelectorAll('td')].slice(1).map((cell) => cell.textContent ?? ''),
      ]),
    );
  await plot.getByRole('button', { name: /show the plot$/ }).click();
  return new Map(rows);
}

test('the overview: capacity by server and pods by state', async ({ browser }) => {
  const { page, check } = await fresh(browser);
  await signIn(page, STAFF);
  const { servers, capacity, fullest } = (await api('GET', '/api/platform/overview')) as {
    servers: { total: number; by_connection: { online: number }; by_scheduling: { online: number } };
    capacity: Record<string, Part>;
    fullest: (Record<string, Part> & { name: string })[];
  };
  const section = page.getByRole('region', { name: 'Capacity' });
  const { total, by_connection, by_scheduling } = servers;
  await expect(section).toContainText(`${total} servers: ${by_connection.online} online, ${by_scheduling.online} open to new pods`);
  expect(fullest.length).toBeGreaterThan(1);
  for (const [what, label, show] of [
    ['memory_mib', 'Memory', mib],
    ['vcpu', 'vCPU', number],
    ['disk_gib', 'Disk', gib],
  ] as const) {
    const all = capacity[what] as Part;
    await expect(section.getByTitle(`${label} in all: ${show(all.reserved)} of ${show(all.total)}`)).toContainText(ofAll(all, show));
    await section.getByText(label, { exact: true }).last().click();
    const bars = section.getByRole('list', { name: `${label} by server` });
    await expect(bars.getByRole('listitem')).toHaveCount(fullest.length);
    for (const { name, [what]: part } of fullest) {
      const row = bars.getByRole('listitem').filter({ has: page.getByRole('link', { name, exact: true }) });
      // What has no capacity that is known has no share either.
      if (part.total === 0) await expect(row).toContainText('Not known');
      else await expect(row).toContainText(`${percent(part.reserved / part.total)} ${ofAll(part, show)}`);
      const share = part.total === 0 ? 0 : part.reserved / part.total;
      expect(await drawn(row.locator('[style*="width"]')), `${label} of ${name}`).toBeCloseTo(share * 100, 1);
    }
  }
  const counts = await api('GET', '/api/provisioning/cloudpods/counts');
  const { active: _, ...states } = counts.by_state as Record<string, number>;
  const { unknown, ...powers } = counts.active_by_power as Record<string, number>;
  expect(powers.running).toBeGreaterThan(0);
  // Those that are in use are counted by whether they run.
  const told = Object.entries({ ...states, ...powers, 'power not known': unknown ?? 0 })
    .filter(([, count]) => count > 0)
    .map(([name, count]) => `${number(count)} ${name.charAt(0).toUpperCase()}${name.slice(1)}`);
  const pods = page.getByRole('region', { name: 'CloudPods' });
  await expect(pods).toContainText(`${counts.total} in all, by state`);
  const shown = async () => (await pods.getByRole('listitem').allInnerTexts()).map((text) => text.split(/\s*\n\s*/).join(' ')).toSorted();
  await expect.poll(shown).toEqual(told.toSorted());
  await check();
});

test('the overview: how many jobs ended in each minute, and how many of them failed', async ({ browser }) => {
  const { page, check } = await fresh(browser);
  await signIn(page, STAFF);
  const plot = page.getByRole('figure', { name: 'Ended per minute' });
  await expect(plot.locator('.recharts-bar-rectangle path').first()).toBeVisible();
  const shown = await tableOf(plot);
  const since = new Date(Date.now() - 3_600_000).toISOString();
  const { items } = (await api('GET', `/api/provisioning/jobs/history?step=60&since=${since}`)) as unknown as {
    items: { at: string; succeeded: number; failed: number; cancelled: number; stuck: number }[];
  };
  // The newest minute goes on.
  const over = items.filter(({ at }) => shown.has(at)).slice(0, -1);
  expect(over.length).toBeGreaterThan(50);
  for (const { at, succeeded, failed, cancelled, stuck } of over) {
    expect(shown.get(at), at).toEqual([succeeded, failed, cancelled, stuck].map(number));
  }
  // Who does not see the bars hears what they show.
  const [most, failures] = [0, 1].map((column) => Math.max(...[...shown.values()].map((row) => Number(row[column]))));
  expect(most).toBeGreaterThan(0);
  const summary = new RegExp(`Succeeded: lowest \\d+, highest ${most}, .*Failed: lowest \\d+, highest ${failures},`);
  await expect(plot.getByRole('img', { name: summary })).toBeVisible();
  const queue = await api('GET', '/api/admin/provisioning/queue');
  for (const state of ['queued', 'running', 'undoing', 'stuck']) {
    const name = `${state.charAt(0).toUpperCase()}${state.slice(1)}`;
    const link = page.getByRole('region', { name: 'Jobs' }).getByRole('link', { name, exact: true });
    await expect(link.locator('..'), state).toHaveText(`${queue[state]}${name}`);
  }
  await check();
});

test('the list of servers: how much of each is reserved', async ({ browser }) => {
  const { page, check } = await fresh(browser);
  await signIn(page, STAFF, '/servers');
  const servers = (await api('GET', '/api/platform/servers')).items as Server[];
  expect(servers.length).toBeGreaterThan(1);
  for (const { name, capacity, reserved, storages } of servers) {
    const row = page.getByRole('row').filter({ has: page.getByRole('link', { name, exact: true }) });
    const sum = (of: (one: Server['storages'][number]) => number) => storages.reduce((all, one) => all + of(one), 0);
    const disk = { reserved: sum((one) => one.reserved_gib), total: sum((one) => one.capacity_gib) };
    for (const [label, part, show] of [
      ['vCPU', { reserved: reserved.vcpu, total: capacity.vcpu }, number],
      ['Memory', { reserved: reserved.memory_mib, total: capacity.memory_mib }, mib],
      ['Disk', disk, gib],
    ] as const) {
      const share = part.reserved / part.total;
      await expect(row.getByTitle(`${label}: ${show(part.reserved)} of ${show(part.total)} reserved`), name).toContainText(
        ofAll(part, show),
      );
      const bar = row.getByRole('progressbar', { name: `${label}: ${percent(share)} reserved` });
      expect(await drawn(bar), `${label} of ${name}`).toBeCloseTo(share * 100, 1);
    }
    await expect(row.getByRole('cell', { name: number(reserved.pods), exact: true })).toBeVisible();
  }
  await check();
});

test("a server's health over time", async ({ browser }) => {
  const { page, check } = await fresh(browser);
  await signIn(page, STAFF, '/servers/pve1?tab=health&range=1h');
  const { id } = await api('GET', '/api/platform/servers/pve1');
  const plot = (region: string) => page.getByRole('region', { name: region }).getByRole('figure');
  // A line that is level has no height, by which it would be visible.
  for (const one of ['Processor', 'Memory', 'Storage'])
    await expect(plot(one).locator('.recharts-line path').first()).toHaveAttribute('d', /^M.*L/);
  const [cpu, memory, storage] = [await tableOf(plot('Processor')), await tableOf(plot('Memory')), await tableOf(plot('Storage'))];
  const since = new Date(Date.now() - 3_600_000).toISOString();
  const samples = (await api('GET', `/api/platform/servers/${id}/health?limit=3000&since=${since}`)).items as Sample[];
  // Its agent tells each half a minute; one may have come since the page asked.
  expect(cpu.size).toBeGreaterThan(1);
  expect([...cpu.keys()].toSorted()).toEqual(
    samples
      .map(({ at }) => at)
      .toSorted()
      .slice(-cpu.size),
  );
  for (const { at, cpu_load, memory_used_mib, storage_used_gib } of samples.filter((sample) => cpu.has(sample.at))) {
    const row = [cpu, memory, storage].flatMap((one) => one.get(at) ?? []);
    expect(row, at).toEqual([percent(cpu_load), mib(memory_used_mib), gib(storage_used_gib)]);
  }
  const { memory_total_mib, storage_total_gib } = samples.at(-1) as Sample;
  await expect(plot('Memory').getByText(`In use, of ${mib(memory_total_mib)}`)).toBeVisible();
  await expect(plot('Storage').getByText(`In use, of ${gib(storage_total_gib)} in all`)).toBeVisible();
  await check();
});

test('customers: the figures of all, and of what the health of one is made', async ({ browser }) => {
  const { page, check } = await fresh(browser);
  const { id, name } = await first('/api/admin/tenants?name_prefix=Default');
  const quotas = `/api/admin/tenants/${id}/quotas`;
  // It may have no more than it has, which weighs against it.
  const { addresses } = (await api('GET', quotas)) as { addresses: { used: number } };
  await api('PATCH', quotas, { addresses: addresses.used });
  const { kpis } = (await api('GET', '/api/platform/customers')) as { kpis: { total: number; active: number } };
  const { customer } = (await api('GET', `/api/platform/customers/${id}`)) as unknown as { customer: { health: Health } };
  const { score, parts } = customer.health;
  expect(score, 'something weighs against it').toBeLessThan(100);
  expect(Math.floor(parts.reduce((all, part) => all + part.weight * part.score, 0) / 100)).toBe(score);
  await signIn(page, STAFF, '/customers');
  const tile = (label: string) =>
    page
      .getByRole('main')
      .locator('dl > div')
      .filter({ has: page.getByText(label, { exact: true }) });
  await expect(tile('Customers')).toHaveText(`Customers${number(kpis.total)}`);
  await expect(tile('Active')).toHaveText(`Active${number(kpis.active)}${percent(kpis.active / kpis.total)} of all`);
  // No order was made here.
  await expect(tile('Revenue')).toHaveText('Revenue–Nothing was paid yet');
  await page.getByRole('row', { name }).getByRole('link', { name, exact: true }).click();
  await expect(dialog(page).getByText(`${score} of 100: the mean`)).toBeVisible();
  for (const part of parts) {
    const title = part.name.charAt(0).toUpperCase() + part.name.slice(1).replaceAll('_', ' ');
    const row = dialog(page)
      .getByRole('listitem')
      .filter({ has: page.getByRole('heading', { name: title, exact: true }) });
    await expect(row, title).toContainText(`${part.score} of 100`);
    await expect(row.getByRole('progressbar', { name: `${title}: ${part.score} of 100` })).toHaveAttribute(
      'aria-valuenow',
      `${part.score}`,
    );
    await expect(row).toContainText(part.reason.slice(1));
    await expect(row).toContainText(`Weight${part.weight} %`);
    const lost = (part.weight * (100 - part.score)) / 100;
    await expect(row).toContainText(`Points lost${lost === 0 ? 'None' : lost.toFixed(1)}`);
  }
  await accessible(page, 'a customer against whom something weighs');
  await api('PATCH', quotas, { addresses: null });
  await check();
});
