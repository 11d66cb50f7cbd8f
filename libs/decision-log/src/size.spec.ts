/**
 * What a finished transaction leaves in the decision database: a kilobyte, indexes and all, for one of
 * two participants as the product notes it. (`npm run bench -- log` measures it through the product.)
 */
import type { TransactionView } from '@concordat/engine';
import { makeTransactionId, type Incarnation, type TransactionId } from '@concordat/protocol';
import { randomBytes } from 'node:crypto';
import type pg from 'pg';
import { DecisionLogStage } from '../../../test/conformance/decision-log-stage.js';
import type { DecisionLog } from './decision-log.js';

const OWNER = 'c00rd1n8' as Incarnation;
const TRANSACTIONS = 3_000;
const WINDOWS = 5;
/** As far apart as 350 a second are. */
const STEP_MS = 1_000 / 350;
const FIRST_AT_MS = Date.now() - 60_000;
/** A kilobyte, and what windows differ by: medians of five were from 1,024 to 1,029. */
const BYTES_MAX = 1_050;

let stage: DecisionLogStage;
let log: DecisionLog;
let dba: pg.Client;

beforeAll(async () => {
  stage = await DecisionLogStage.open();
  const url = await stage.database();
  log = await stage.log(url);
  dba = await stage.dba(url);
}, 60_000);

afterAll(() => stage.close());

/** A transfer, as the coordinator noted one. */
function transferOf(transaction: TransactionId, begunAtMs: number): TransactionView {
  const sides = [
    { branch: '1', participant: 'ledger-east', operation: 'debit', balance: 999_999_999_900 },
    { branch: '2', participant: 'ledger-west', operation: 'credit', balance: 1_000_000_000_100 },
  ];
  const [east, west] = sides.map(({ branch, participant }) => ({ branch, participant }));
  const at = (ms: number, type: string, more: object = {}) => ({
    atMs: begunAtMs + ms,
    type,
    ...more,
  });
  const lines = [
    at(0, 'begun', { detail: { timeoutMs: 30_000 } }),
    at(0, 'enlisted', east),
    at(0, 'enlisted', west),
    at(1, 'prepare-sent', east),
    at(1, 'prepare-sent', west),
    at(23, 'voted', { ...west, detail: { vote: 'prepared' } }),
    at(24, 'voted', { ...east, detail: { vote: 'prepared' } }),
    at(24, 'proposed', { detail: { decision: 'commit' } }),
    at(41, 'decided', { detail: { decision: 'commit' } }),
    at(41, 'commit-sent', { ...east, detail: { attempt: 1 } }),
    at(41, 'commit-sent', { ...west, detail: { attempt: 1 } }),
    at(62, 'acknowledged', { ...west, detail: { outcome: 'committed' } }),
    at(63, 'acknowledged', { ...east, detail: { outcome: 'committed' } }),
    at(63, 'ended', { detail: { outcome: 'committed' } }),
  ];
  const branches = sides.map(({ branch, participant, operation, balance }) => ({
    ...{ branch, participant, work: 'bundled', operations: [operation], attempts: 1 },
    ...{ vote: { kind: 'prepared' }, outcome: { kind: 'committed' }, outputs: [{ balance }] },
  }));
  return {
    ...{ transaction, owner: OWNER, principal: 'client', status: 'committed', decision: 'commit' },
    ...{ outcome: 'committed', timeoutMs: 30_000, version: 15, branches, begunAtMs },
    ...{ decidedAtMs: begunAtMs + 41, endedAtMs: begunAtMs + 63 },
    timeline: lines.map((line, index) => ({ sequence: index + 1, ...line })),
  } as unknown as TransactionView;
}

async function carryOut(from: number): Promise<void> {
  for (let first = 0; first < TRANSACTIONS; first += 100) {
    const some = Array.from({ length: 100 }, (_, at) => {
      const madeAtMs = Math.floor(FIRST_AT_MS + (from + first + at) * STEP_MS);
      return transferOf(makeTransactionId(madeAtMs, randomBytes(10), OWNER), madeAtMs);
    });
    await Promise.all(
      some.map(({ transaction, branches }) =>
        log.register.decide({
          ...{ transaction, proposed: 'commit', finisher: OWNER, principal: 'client' },
          branches: branches.map(({ branch, participant, work }) => ({
            branch,
            participant,
            work,
          })),
        }),
      ),
    );
    for (const one of some) {
      log.register.noteEnded(one.transaction, 'committed', 22);
      log.historyWriter.note(one);
    }
    await log.historyWriter.flush();
  }
  await log.register.flushEnded();
}

async function bytes(): Promise<Map<string, number>> {
  // What one of them empties, another one puts to use once no session can look into it.
  for (const text of ['VACUUM', 'SELECT pg_current_xact_id()', 'VACUUM']) await dba.query(text);
  const { rows } = await dba.query<{ name: string; bytes: number }>(
    `SELECT relname AS name, pg_relation_size(oid)::float8 AS bytes FROM pg_class
      WHERE relnamespace = 'concordat'::regnamespace AND relkind IN ('r', 'i', 't')`,
  );
  return new Map(rows.map((row) => [row.name, row.bytes]));
}

it(`leaves at most ${BYTES_MAX} bytes of a finished transaction of two participants`, async () => {
  // What is dead of one window is used again in the next, as it is all the time under load.
  await carryOut(0);
  const windows: { sum: number; told: object }[] = [];
  for (let window = 1; window <= WINDOWS; window++) {
    const before = await bytes();
    await carryOut(window * TRANSACTIONS);
    const grown = [...(await bytes())].map(
      ([name, size]) => [name, (size - (before.get(name) ?? 0)) / TRANSACTIONS] as const,
    );
    const sum = grown.reduce((all, [, each]) => all + each, 0);
    windows.push({ sum, told: Object.fromEntries(grown.filter(([, each]) => each > 0)) });
  }
  // Pages are split and filled again by turns, so that single windows differ by a tenth.
  windows.sort((one, other) => one.sum - other.sum);
  const median = windows[Math.floor(WINDOWS / 2)];
  expect({ ...median, fits: Number(median?.sum) <= BYTES_MAX }).toEqual({ ...median, fits: true });
}, 120_000);
