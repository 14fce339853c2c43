// Fails when what the first page after the sign-in loads of JavaScript is more than it may be, compressed. Says besides what each
// other page adds to it.
import { readFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';

const LIMIT_KB = 350;
const FIRST = ['index.html', 'src/frame/Shell.tsx', 'src/modules/overview/OverviewPage.tsx'];

const dist = new URL('../dist/', import.meta.url);
const manifest = JSON.parse(await readFile(new URL('.vite/manifest.json', dist), 'utf8'));

function withImports(name, all = new Set()) {
  if (all.has(name)) return all;
  const chunk = manifest[name];
  if (!chunk) throw new Error(`the build has no ${name}: run \`npm run build\` first`);
  all.add(name);
  for (const other of chunk.imports ?? []) withImports(other, all);
  return all;
}

async function kilobytes(names) {
  const files = [...names].map((name) => manifest[name].file).filter((file) => file.endsWith('.js'));
  const sizes = files.map(async (file) => gzipSync(await readFile(new URL(file, dist)), { level: 9 }).length);
  return (await Promise.all(sizes)).reduce((all, one) => all + one, 0) / 1000;
}

const first = new Set(FIRST.flatMap((name) => [...withImports(name)]));
for (const name of Object.keys(manifest).filter((one) => manifest[one].isDynamicEntry && !first.has(one))) {
  const more = [...withImports(name)].filter((one) => !first.has(one));
  console.log(`${`+${(await kilobytes(more)).toFixed(1)}`.padStart(8)} kB  ${name}`);
}
const total = await kilobytes(first);
console.log(`${total.toFixed(1).padStart(8)} kB  first load, of at most ${LIMIT_KB} kB`);
if (total > LIMIT_KB) {
  console.error('too much: load what is not needed at once with its route');
  process.exit(1);
}
