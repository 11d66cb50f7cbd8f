/**
 * The whole crash matrix, and its table: docs/crash-matrix.md holds every cell with the time it took
 * until all was settled. Only a run of all cells writes it.
 */
import { jest } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { resolve } from 'node:path';
import { Product } from '../stage/product.js';
import { CELLS, nameOf, type Cell } from './cells.js';
import { runCell } from './run-cell.js';

const ROOT = resolve(import.meta.dirname, '../..');
/** A cell takes some eight seconds on two cores, and was seen to take ninety on two that others used too. */
const CELL_MS = 300_000;
const TABLE = resolve(ROOT, 'docs/crash-matrix.md');

jest.setTimeout(CELL_MS);

interface Run {
  readonly cell: Cell;
  /** Undefined: a promise was broken, or the point was never hit. */
  readonly healedMs?: number;
}

describe('Any fault at', () => {
  let product: Product;
  const runs: Run[] = [];
  const from = performance.now();

  beforeAll(async () => {
    product = await Product.start({
      armable: true,
      env: { CONCORDAT_ONE_PHASE: 'enabled' },
    });
    await product.openAccounts(1_000_000);
    await product.untilNothingInDoubt();
  });

  afterEach(() => product.restore());

  afterAll(async () => {
    const version = await product.sql<{ server_version: string }>(
      'superuser',
      'SHOW server_version',
    );
    await product.dispose();
    if (runs.length < CELLS.length) return;
    const minutes = Math.round((performance.now() - from) / 60_000);
    writeFileSync(TABLE, page(runs, minutes, version[0]?.server_version ?? 'unknown'));
  });

  it.each(CELLS.map((cell) => [nameOf(cell), cell] as const))(
    '%s, all promises are kept',
    async (_, cell) => {
      const at = runs.push({ cell }) - 1;
      const begunAt = performance.now();
      try {
        runs[at] = { cell, healedMs: await runCell(product, cell) };
      } finally {
        const seconds = ((performance.now() - begunAt) / 1_000).toFixed(1);
        process.stderr.write(
          `crash matrix: ${at + 1} of ${CELLS.length}: ${rowOf(runs[at] ?? { cell })} ${seconds} s in all\n`,
        );
      }
    },
  );
});

function page(runs: readonly Run[], minutes: number, postgres: string): string {
  const passed = runs.filter(({ healedMs }) => healedMs !== undefined).length;
  const day = new Date().toISOString().slice(0, 10);
  const commit = execFileSync('git', ['describe', '--always', '--dirty'], { cwd: ROOT }).toString();
  const [, , load = 0] = loadavg();
  const machine = `${cpus().length} cores, ${process.platform}, Node ${process.versions.node}, Postgres ${postgres}`;
  return `# Crash matrix

Written by \`npm run test:nightly -- test/crash\`. ${day}, commit ${commit.trim()}, ${machine}:
**${passed} of ${CELLS.length} cells passed**, in ${minutes} minutes, at a load of ${load.toFixed(0)} in the end; times grow with it.

Each cell is a real run on real processes, Postgres and NATS. The service is armed at the point, a transaction reaches it
(a point that is not reached fails its cell), and then:

- *kill*: it dies there by SIGKILL and is started again.
- *stop*: SIGSTOP there, SIGCONT when the transaction's time is over and all others have gone on.
- *throw*: an error there. If the process ends itself over it, it is started again.
- *hang*: it never goes on from there; then it is killed and started again.
- *drop*: the effect is done, its process goes on, and the reply is lost on its way to the asker.

At the end no branch may be in doubt, no database transaction open and no commit without its end, money is conserved, and
what the client was told is what happened. The time is from the end of the fault (starting processes included, where one must be started) until all
was settled. *Story*: \`commit\` a transfer; \`abort\` one that is refused after round one began; \`recover\` and \`inquire\` a
commit whose coordinator died, left to the next coordinator's claim, or to a participant's inquiry; \`alone\` a transaction of
one branch, which commits in one phase, \`alone-refused\` one that its branch refuses, \`alone-asked\` one whose participant and
owner both died behind its commit, and which is then asked about. A point with an @ is
what the coordinator does with that participant.

| Service | Point | Action | Story | Settled after |
| --- | --- | --- | --- | --- |
${runs.map(rowOf).join('\n')}
`;
}

function rowOf({ cell: { service, point, action, story }, healedMs }: Run): string {
  const settled = healedMs === undefined ? '**failed**' : `${(healedMs / 1_000).toFixed(1)} s`;
  return `| ${service} | \`${point}\` | ${action} | ${story} | ${settled} |`;
}
