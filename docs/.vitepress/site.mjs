// `npm run docs`: builds the pages of docs/ to a site in docs/.vitepress/dist, without a network. With
// `-- --serve` it also serves that folder on http://127.0.0.1:4173 until Ctrl-C. `-- --reference` writes
// the tables of docs/reference again from the code instead.

import { fileURLToPath } from 'node:url';
import { prologueOrExit } from '../../apps/cli/bootstrap/prologue.mjs';
import { complain, runNpm, say } from '../../apps/cli/bootstrap/commands.mjs';
import { helped } from '../../apps/cli/bootstrap/help.mjs';

const PORT = 4173;
const args = process.argv.slice(2);
if (helped(args, new URL(import.meta.url))) process.exit(0);
if (args.includes('--reference')) {
  await prologueOrExit();
  process.env.REFERENCE_REWRITE = '1';
  const { code } = await runNpm([
    'run',
    '--silent',
    'jest',
    '--',
    'test/fitness/reference.spec.ts',
  ]);
  process.exit(code);
}
const here = fileURLToPath(new URL('..', import.meta.url));
try {
  const { build } = await import('vitepress');
  await build(here);
  say('docs: built in docs/.vitepress/dist');
  if (args.includes('--serve')) await serve();
} catch (error) {
  const isMissing = error?.code === 'ERR_MODULE_NOT_FOUND';
  const why = isMissing
    ? 'Its packages are not installed: run `npm install` first.'
    : error?.message;
  complain(`docs: not built. ${why}`);
  process.exit(1);
}

// VitePress' own server listens on every address; this one on loopback only.
async function serve() {
  const { preview } = await import('vite');
  const { resolvedUrls } = await preview({
    ...{ root: here, configFile: false, appType: 'mpa', logLevel: 'warn' },
    build: { outDir: fileURLToPath(new URL('dist', import.meta.url)) },
    preview: { host: '127.0.0.1', port: PORT, strictPort: true },
  });
  say(`docs: at ${resolvedUrls.local[0]}, until Ctrl-C`);
}
