/**
 * The suites of participants and of the register in other surroundings: on each Postgres and each line of
 * Node that is supported, with the oldest driver, with parsers that a host replaced, and on a server that speaks
 * another language. What each of them is, with.mjs says.
 */
import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { DRIVER_MIN } from '../../libs/participant/src/postgres/driver.js';

const ROOT = join(import.meta.dirname, '../..');
const AN_HOUR_MS = 3_600_000;
const TAIL = 20_000;

const PARTICIPANT = [
  'libs/participant/',
  ...['resource-postgres', 'participant', 'branch-is-its-own', 'host-settings'].map(
    (name) => `test/conformance/${name}`,
  ),
];
const REGISTER = ['libs/decision-log/', 'test/conformance/postgres-decision-register'];

/** Runs suites with these arguments; resolves with the end of what they said if they are not green. */
function failureOf(args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['test/presets/with.mjs', ...args, '--maxWorkers=1'], {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let said = '';
    const keep = (chunk: Buffer): void => {
      said = (said + chunk.toString()).slice(-TAIL);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.once('error', reject);
    child.once('close', (code) => resolve(code === 0 ? '' : said));
  });
}

describe('The suites of participants and of the register are green', () => {
  it.each(['15', '16', '17', '18'])(
    'on Postgres %s',
    async (major) => {
      expect(await failureOf(['--postgres', major, ...PARTICIPANT, ...REGISTER])).toBe('');
    },
    AN_HOUR_MS,
  );

  it.each(['22', '24', '26'])(
    'on Node %s, with those of services that a client talks to',
    async (major) => {
      const services = ['test/conformance/channel', 'test/e2e/transfer', 'test/e2e/participants'];
      const suites = [...PARTICIPANT, ...REGISTER, ...services, 'test/crash/kill'];
      expect(await failureOf(['--node', major, ...suites])).toBe('');
    },
    AN_HOUR_MS,
  );
});

describe('The suites of participants are green', () => {
  const german = ['test/presets/with.mjs', '--language', 'de_DE', '--version'];
  const speaksGerman = spawnSync(process.execPath, german, { cwd: ROOT }).status === 0;
  const inGerman = speaksGerman ? it : it.skip;

  it.each<[string, string[]]>([
    ['the parsers of every type replaced', ['--parsers']],
    [`pg ${DRIVER_MIN}`, ['--pg', DRIVER_MIN]],
    [`pg ${DRIVER_MIN} and the parsers of every type replaced`, ['--pg', DRIVER_MIN, '--parsers']],
    ['the last pg that does not report the state of a transaction', ['--pg', '8.20.0']],
  ])(
    'with %s',
    async (_what, args) => {
      expect(await failureOf([...args, ...PARTICIPANT])).toBe('');
    },
    AN_HOUR_MS,
  );

  inGerman(
    'on a server that speaks German',
    async () => {
      expect(await failureOf(['--language', 'de_DE', ...PARTICIPANT, ...REGISTER])).toBe('');
    },
    AN_HOUR_MS,
  );
});
