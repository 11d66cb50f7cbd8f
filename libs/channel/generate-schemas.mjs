// Writes docs/wire-protocol/schema/*.json from the schemas of the codec. Run it after a change of a
// message (`npm run schemas -w @concordat/channel`); a spec fails while the two differ.
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { format } from 'oxfmt';
import { jsonSchemas } from './dist/index.js';

const folder = new URL('../../docs/wire-protocol/schema/', import.meta.url);
await mkdir(folder, { recursive: true });
const wanted = jsonSchemas();
for (const name of await readdir(folder)) {
  if (!(name.replace(/\.json$/, '') in wanted)) await rm(new URL(name, folder));
}
for (const [type, schema] of Object.entries(wanted)) {
  const { code } = await format(`${type}.json`, JSON.stringify(schema));
  await writeFile(new URL(`${type}.json`, folder), code);
}
console.log(`${Object.keys(wanted).length} schemas written`);
