/**
 * Writes the built services, each with all that it loads, as a few files into the folder that is named:
 * bundled.ts says why. What is bundled is what the compiler has built, in the same order and under its own names;
 * the crash points are bundled with it, since they wrap classes of the services.
 */
import { dirname, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { rolldown } from 'rolldown';

const root = fileURLToPath(new URL('../..', import.meta.url));
const [folder] = process.argv.slice(2);

/** Installed here for tests alone. Nest loads them where they are, and a service is installed without them. */
const absent = {
  name: 'absent',
  resolveId: {
    filter: { id: /^@nestjs\/(microservices|websockets)(\/|$)|^class-(transformer|validator)$/ },
    handler: (id) => `\0absent:${id}`,
  },
  load: {
    filter: { id: /^\0absent:/ },
    handler: (id) => `throw new Error('not installed: ${id.slice(8)}'); export {};`,
  },
};

/** Files that are read beside a module are beside the one that was built. */
const places = {
  name: 'places',
  transform: {
    filter: { id: /^[^\0]/, code: /import\.meta\.(url|dirname)/ },
    handler: (code, id) =>
      code
        .replaceAll('import.meta.url', JSON.stringify(pathToFileURL(id).href))
        .replaceAll('import.meta.dirname', JSON.stringify(dirname(id))),
  },
};

/** Looks for TypeORM where it is installed: another copy than the one that the entities belong to. */
const oneTypeOrm = {
  name: 'one-typeorm',
  transform: {
    filter: { id: /@nestjs\/typeorm\/dist\/common\/typeorm-compat\.js$/ },
    handler: (code) =>
      `import * as TYPEORM from 'typeorm';\n${code.replace("require('typeorm')", 'TYPEORM')}`,
  },
};

const bundle = await rolldown({
  cwd: root,
  input: {
    coordinator: 'apps/coordinator/dist/main.js',
    ledger: 'apps/ledger/dist/main.js',
    inventory: 'apps/inventory/dist/main.js',
    'crash-points': 'test/crash/crash-points.mjs',
  },
  platform: 'node',
  plugins: [absent, oneTypeOrm, places],
  external: 'pg', // Participants look for it where it is installed.
  logLevel: 'silent',
  resolve: { extensions: ['.js', '.mjs', '.cjs', '.json'] },
});
await bundle.write({
  dir: resolve(folder),
  format: 'esm',
  entryFileNames: '[name].mjs',
  chunkFileNames: '[name]-[hash].mjs',
  keepNames: true,
});
