/**
 * The whole crash matrix, and its table: docs/crash-matrix.md holds every case with the time it took
 * until all was settled. Only a run of all cases writes it.
 */
import { jest } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { resolve } from 'node:path';
import type { Case } from '../cases/case.js';
import { PROMISES } from '../cases/promises.js';
import { onStage, runCase } from '../cases/run.js';
import { SHAPES } from '../cases/shapes.js';
import { MATRIX, MATRIX_STAGE, cellsOf } from './matrix.cases.js';

const ROOT = resolve(import.meta.dirname, '../..');
/** A case takes some eight seconds on two cores, and was seen to take ninety on two that others used too. */
const CELL_MS = 300_000;
const TABLE = resolve(ROOT, 'docs/crash-matrix.md');

jest.setTimeout(CELL_MS);

interface Run {
  readonly row: Case;
  /** Undefined: a promise was broken, or the point was never hit. */
  readonly healedMs?: number;
}

onStage('Any fault at', MATRIX_STAGE, (stage) => {
  const runs: Run[] = [];
  let server = 'unknown';
  const from = performance.now();

  beforeAll(async () => {
    const { product } = stage();
    const [row] = await product.sql<{ server_version: string }>('superuser', 'SHOW server_version');
    server = row?.server_version ?? server;
  });

  afterAll(() => {
    if (runs.length < MATRIX.length) return;
    const minutes = Math.round((performance.now() - from) / 60_000);
    writeFileSync(TABLE, page(runs, minutes, server));
  });

  it.each(MATRIX.map((row) => [row.name, row] as const))(
    '%s, all promises are kept',
    async (_, row) => {
      const at = runs.push({ row }) - 1;
      const begunAt = performance.now();
      try {
        runs[at] = { row, healedMs: (await runCase(stage(), row)).healedMs };
      } finally {
        const seconds = ((performance.now() - begunAt) / 1_000).toFixed(1);
        process.stderr.write(
          `crash matrix: ${at + 1} of ${MATRIX.length}: ${rowOf(runs[at] ?? { row })} ${seconds} s in all\n`,
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
  const shapes = [...new Set(MATRIX.map(({ sends }) => sends))];
  const sent = shapes.map((shape) => `\`${shape}\` ${SHAPES[shape].about}`).join('; ');
  const machine = `${cpus().length} cores, ${process.platform}, Node ${process.versions.node}, Postgres ${postgres}`;
  return `# Crash matrix

Written by \`npm run test:nightly -- test/crash\`. ${day}, commit ${commit.trim()}, ${machine}:
**${passed} of ${MATRIX.length} cases passed**, in ${minutes} minutes, at a load of ${load.toFixed(0)} in the end; times grow with it.

Each case is a real run on real processes, Postgres and NATS, of the runner that the [named faults](faults.md) have too. The
service is armed at the point, a transaction reaches it (a point that is not reached fails its case), and then:

- *kill*: it dies there by SIGKILL and is started again.
- *stop*: SIGSTOP there, SIGCONT when the transaction's time is over and all others have gone on.
- *throw*: an error there. If the process ends itself over it, it is started again.
- *hang*: it never goes on from there; then it is killed and started again.
- *drop*: the effect is done, its process goes on, and the reply is lost on its way to the asker.

${PROMISES} The time is from the end of the fault (starting processes included, where one
must be started) until all was settled. A point with an @ is what the coordinator does with that participant. What is sent:
${sent}.

| Service | Point | Action | Sent | Settled after |
| --- | --- | --- | --- | --- |
${runs.map(rowOf).join('\n')}
`;
}

function rowOf({ row, healedMs }: Run): string {
  const settled = healedMs === undefined ? '**failed**' : `${(healedMs / 1_000).toFixed(1)} s`;
  return `| ${[...cellsOf(row), settled].join(' | ')} |`;
}
