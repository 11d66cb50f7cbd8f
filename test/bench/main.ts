/**
 * `npm run bench`: transactions per second beside a hand-written two-phase commit, and the coordinator's
 * memory. `--rounds N` (default 3), `--seconds N` per turn (default 4).
 *
 * `npm run bench -- lists`: how long the admin view's questions take over HTTP when the decision database
 * is full. `--transactions N` (default 1000000), `--stuck N` (10000), `--rounds N` (30), `--data FOLDER`
 * keeps the filled database for the next run; without it nothing stays. Ten million take 25 GB of disk.
 * `--live N` lets the coordinator retry so many commits only, which leaves it free to answer.
 *
 * `npm run bench -- beside --root FOLDER`: the same transfers through this build and through another one,
 * a built checkout in FOLDER, in turns at 32 clients. Prints the median of the ratios per round, and
 * processor time. `--rounds N` (default 7), `--seconds N` per turn.
 *
 * `npm run bench -- contention`: transactions that collide, from disjoint rows to five hot ones on three
 * ledgers, and what others get beside a crowd that waits. `--clients 2,8,32,64`, `--shapes NAME,NAME`,
 * `--rounds N` (default 3), `--seconds N` per turn, `--alone` without the others, `--json FILE`, `--root
 * FOLDER` for another build. Three minutes: `--clients 8 --rounds 1`.
 *
 * `npm run bench -- guards`: the same beside a copy of this build without what guards a branch.
 */
import { parseArgs } from 'node:util';
import { measureBeside } from './beside.js';
import { measureContention } from './contention/contention.js';
import { SHAPE_NAMES } from './contention/shapes.js';
import { measureGuards } from './guards.js';
import { measureLists } from './lists/lists.js';
import { measureThroughput } from './throughput.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string' },
    seconds: { type: 'string', default: '4' },
    transactions: { type: 'string', default: '1000000' },
    stuck: { type: 'string', default: '10000' },
    data: { type: 'string' },
    live: { type: 'string' },
    root: { type: 'string' },
    clients: { type: 'string', default: '2,8,32,64' },
    shapes: { type: 'string', default: SHAPE_NAMES.join(',') },
    alone: { type: 'boolean', default: false },
    json: { type: 'string' },
  },
});

const [what = 'throughput'] = positionals;
if (what === 'lists') {
  await measureLists({
    transactions: Number(values.transactions),
    stuck: Number(values.stuck),
    rounds: Number(values.rounds ?? 30),
    ...(values.data === undefined ? {} : { dataDir: values.data }),
    ...(values.live === undefined ? {} : { live: Number(values.live) }),
  });
} else if (what === 'throughput') {
  const durationMs = Number(values.seconds) * 1_000;
  await measureThroughput({ rounds: Number(values.rounds ?? 3), durationMs });
} else if (what === 'beside') {
  if (values.root === undefined) throw new Error('say beside which build: --root FOLDER');
  const durationMs = Number(values.seconds) * 1_000;
  await measureBeside(values.root, { rounds: Number(values.rounds ?? 7), durationMs });
} else if (what === 'contention') {
  const shapes = values.shapes.split(',').map((name) => {
    const shape = SHAPE_NAMES.find((one) => one === name);
    if (shape === undefined) throw new Error(`"${name}" is no shape: ${SHAPE_NAMES.join(', ')}`);
    return shape;
  });
  await measureContention({
    rounds: Number(values.rounds ?? 3),
    durationMs: Number(values.seconds) * 1_000,
    clients: values.clients.split(',').map(Number),
    shapes,
    beside: !values.alone,
    ...(values.root === undefined ? {} : { root: values.root }),
    ...(values.json === undefined ? {} : { json: values.json }),
  });
} else if (what === 'guards') {
  const durationMs = Number(values.seconds) * 1_000;
  await measureGuards({ rounds: Number(values.rounds ?? 7), durationMs });
} else {
  throw new Error(
    `"${what}" is not measured here; beside, contention, guards, lists or throughput is`,
  );
}
