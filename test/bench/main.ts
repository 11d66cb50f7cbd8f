/**
 * `npm run bench`: what atomicity costs. Transactions written directly over pg, through the same services
 * without atomicity, and through Concordat, decided and completed, in turns: transactions per second, times, processor
 * time by process, flushes and messages; round trips of one transaction. Every case that docs/performance.md shows
 * but the full log, 7 rounds each, in half an hour; `--quick` takes four minutes. A full log, whose 10 million
 * transactions take 11 GB of disk and minutes to fill: `--ways completed,full-log --no-count --resume`, with `--data FOLDER` to keep it filled.
 * Named combinations instead of all: `--clients 1,32`, `--participants 1,2,4,8`, `--shapes
 * write,read-only,refused,interactive`, `--through typeorm,pg`, `--ways
 * hand,apart,autocommit,decided,completed,one-phase,one-participant,one-participant-in-one-phase,reading,own-core,two-coordinators,full-log`.
 * `--rounds N` (default 7), `--seconds N` per turn (1.5), `--log N` transactions in the log of `full-log`
 * (10000000), `--no-count` without counting one transaction at a time. Every sample goes to `--json FILE`
 * (coverage/bench.json), case by case: `--resume` measures what the file does not hold yet, and adds to it.
 * `--write` puts the tables into docs/performance.md; `npm run bench -- write --json FILE,FILE` does so with runs that are
 * over, of one revision.
 *
 * `npm run bench -- log`: what a finished transaction leaves in each table and index. `--transactions N` (5000).
 *
 * `npm run bench -- memory`: the coordinator's memory. `--live N` transactions (default 10000).
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
 * `npm run bench -- pruning`: whether pruning keeps up: full rate for an hour while everything is kept for
 * minutes; rate, times, sizes of all tables and indexes, dead rows, autovacuum, what is due. `--minutes N` (60;
 * nothing is deleted in the first ten), `--retention N` minutes (2), `--clients 32`, `--seconds N` from look to
 * look (30), `--json FILE` (coverage/pruning.json), `--write` puts the tables into docs/performance.md.
 *
 * `npm run bench -- profile`: where processor time goes, by process, by purpose of Postgres' sessions, and by
 * package and function of each service. `--clients 32`, `--participants 2`, `--seconds N` (4), `--top N` rows
 * of each table (25), `--root FOLDER` for another build, `--data FOLDER` keeps the `.cpuprofile` files.
 *
 * `npm run bench -- guards`: the same beside a copy of this build without what guards a branch. `waits`:
 * beside a copy that looks at no waits and orders nothing; what they cost transactions that do not collide.
 */
import { parseArgs } from 'node:util';
import { measureBeside } from './beside.js';
import { measureContention } from './contention/contention.js';
import { SHAPE_NAMES } from './contention/shapes.js';
import { UNGUARDED, UNWAITED, measureWithout } from './guards.js';
import { measureLists } from './lists/lists.js';
import { compare, writePage } from './compare/compare.js';
import { planOf } from './compare/plan.js';
import { merged } from './compare/report.js';
import { measureLogSize } from './log-size.js';
import { measureMemory } from './memory.js';
import { measureProfile } from './profile/profile.js';
import { measurePruning } from './pruning/pruning.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    quick: { type: 'boolean', default: false },
    participants: { type: 'string' },
    through: { type: 'string' },
    ways: { type: 'string' },
    log: { type: 'string' },
    'no-count': { type: 'boolean', default: false },
    resume: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
    transactions: { type: 'string' },
    stuck: { type: 'string', default: '10000' },
    data: { type: 'string' },
    live: { type: 'string' },
    root: { type: 'string' },
    top: { type: 'string', default: '25' },
    clients: { type: 'string' },
    shapes: { type: 'string' },
    alone: { type: 'boolean', default: false },
    json: { type: 'string' },
    minutes: { type: 'string', default: '60' },
    retention: { type: 'string', default: '2' },
  },
});

const [what = 'compare'] = positionals;
const durationMs = Number(values.seconds ?? 4) * 1_000;
if (what === 'lists') {
  await measureLists({
    transactions: Number(values.transactions ?? 1_000_000),
    stuck: Number(values.stuck),
    rounds: Number(values.rounds ?? 30),
    ...(values.data === undefined ? {} : { dataDir: values.data }),
    ...(values.live === undefined ? {} : { live: Number(values.live) }),
  });
} else if (what === 'compare') {
  await compare({
    plan: planOf(values),
    json: values.json ?? 'coverage/bench.json',
    resume: values.resume,
    write: values.write,
    count: !values['no-count'],
  });
} else if (what === 'write') {
  writePage(merged((values.json ?? 'coverage/bench.json').split(',')));
} else if (what === 'log') {
  await measureLogSize(Number(values.transactions ?? 5_000));
} else if (what === 'memory') {
  await measureMemory(Number(values.live ?? 10_000));
} else if (what === 'beside') {
  if (values.root === undefined) throw new Error('say beside which build: --root FOLDER');
  await measureBeside(values.root, { rounds: Number(values.rounds ?? 7), durationMs });
} else if (what === 'profile') {
  await measureProfile({
    clients: Number(values.clients ?? 32),
    participants: Number(values.participants ?? 2),
    durationMs,
    top: Number(values.top),
    ...(values.root === undefined ? {} : { root: values.root }),
    ...(values.data === undefined ? {} : { keep: values.data }),
  });
} else if (what === 'pruning') {
  await measurePruning({
    minutes: Number(values.minutes),
    retentionMinutes: Number(values.retention),
    clients: Number(values.clients ?? 32),
    turnMs: Number(values.seconds ?? 30) * 1_000,
    json: values.json ?? 'coverage/pruning.json',
    write: values.write,
    ...(values.root === undefined ? {} : { root: values.root }),
  });
} else if (what === 'contention') {
  const shapes = (values.shapes ?? SHAPE_NAMES.join(',')).split(',').map((name) => {
    const shape = SHAPE_NAMES.find((one) => one === name);
    if (shape === undefined) throw new Error(`"${name}" is no shape: ${SHAPE_NAMES.join(', ')}`);
    return shape;
  });
  await measureContention({
    rounds: Number(values.rounds ?? 3),
    durationMs,
    clients: (values.clients ?? '2,8,32,64').split(',').map(Number),
    shapes,
    beside: !values.alone,
    ...(values.root === undefined ? {} : { root: values.root }),
    ...(values.json === undefined ? {} : { json: values.json }),
  });
} else if (what === 'guards' || what === 'waits') {
  const turns = { rounds: Number(values.rounds ?? 7), durationMs };
  await measureWithout(what === 'guards' ? UNGUARDED : UNWAITED, turns);
} else {
  throw new Error(
    `"${what}" is not measured here; beside, compare, contention, guards, lists, log, memory, profile, pruning, waits or write is`,
  );
}
