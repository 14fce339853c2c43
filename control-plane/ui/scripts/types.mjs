// Writes src/api/schema.d.ts from the API's document: of the mpanel at MPANEL_URL with MPANEL_TOKEN, or of a file named as argument; a
// second argument names another file to write.
import { readFile, writeFile } from 'node:fs/promises';
import openapiTS, { astToString } from 'openapi-typescript';

async function read() {
  const file = process.argv[2];
  if (file) return JSON.parse(await readFile(file, 'utf8'));
  const url = process.env.MPANEL_URL ?? 'http://127.0.0.1:8080';
  const headers = { authorization: `Bearer ${process.env.MPANEL_TOKEN ?? ''}` };
  const answer = await fetch(`${url}/api/openapi.json`, { headers });
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}: set MPANEL_URL and MPANEL_TOKEN, or name a file`);
  return await answer.json();
}

const description = await read();
// One handler answers under several prefixes, so these ids are not unique; the types need none.
for (const operations of Object.values(description.paths)) {
  for (const operation of Object.values(operations)) delete operation.operationId;
}

const tree = await openapiTS(description, { defaultNonNullable: false });
const note = '// Made by `npm run types` from the API document. Do not edit.\n\n';
await writeFile(process.argv[3] ?? new URL('../src/api/schema.d.ts', import.meta.url), note + astToString(tree));
