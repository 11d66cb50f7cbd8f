/**
 * Runs one cell of the crash matrix on a product that is up, and says how long it took to heal.
 * Guards "a point that was never hit has shown nothing": such a cell fails, as does a reply that was
 * to be dropped and never existed.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { waitFor } from '@concordat/testing';
import { transferBody, type Product, type ServiceId } from '../stage/product.js';
import { isAlone, type Cell } from './cells.js';

const AMOUNT = 10;
/** Short: what hangs, stops or is not answered in round one holds its cell for so long. */
const TRANSACTION_MS = 4_000;
/** A stopped process is continued when the time of its transaction is over: all went on without it. */
const STOPPED_MS = TRANSACTION_MS + 500;
/** From sending, or starting, to the point. */
const REACHED_MS = 20_000;

const OPEN_WORK = `SELECT count(*)::int AS open FROM pg_stat_activity
   WHERE usename LIKE 'ledger%' AND state LIKE 'idle in transaction%'`;
const OPEN_COMMITS = `SELECT count(*)::int AS open FROM concordat.decision
   WHERE decision = 'commit' AND ended_at IS NULL`;

const LAST_ROW = `SELECT transaction, kind FROM concordat_branch
   WHERE length(transaction) > 35 ORDER BY transaction DESC LIMIT 1`;

/** The status of the client's answer, or undefined without one. */
type Told = number | undefined;

/** Milliseconds from healing until all was settled. Throws where a promise is broken. */
export async function runCell(
  product: Product,
  cell: Cell,
  { reachedMs = REACHED_MS } = {},
): Promise<number> {
  if (isAlone(cell.story)) await untilOnePhase(product);
  const before = await product.balances();
  const { answer } = await lead(product, cell);
  const service = product.service(cell.service);
  await product.untilReached(cell.service, cell.point.split('@')[0] ?? '', reachedMs);
  if (cell.action === 'drop') await product.untilDropped(cell.service, reachedMs);
  if (cell.action === 'kill') await service.exited;
  if (cell.action === 'stop') {
    await pause(STOPPED_MS);
    service.kill('SIGCONT');
  }
  const told = await answer;
  const from = performance.now();
  // What hangs goes on hanging: somebody has to end it. Everything else must help itself.
  if (cell.action === 'hang') await product.kill(cell.service);
  // For a participant's inquiry to matter, its coordinator was kept from finishing.
  if (cell.story === 'inquire') await product.kill('coordinator');
  await untilSettled(product);
  const healedMs = performance.now() - from;
  await holdToPromises(product, cell, before, told);
  return healedMs;
}

/** Arms the process and sends what will reach the point; the client's answer, when it comes. */
async function lead(product: Product, cell: Cell): Promise<{ answer: Promise<Told> }> {
  const { service, point, action, story } = cell;
  const crash = `${point}#1=${action}`;
  const said = `crash point ${point}`;
  switch (story) {
    case 'commit':
    case 'abort':
    case 'alone':
    case 'alone-refused':
      product.arm(service, crash);
      // Not awaited here: the process that must answer may be the one that is armed.
      return { answer: sendUntilReached(product, cell) };
    case 'recover':
      await leaveInDoubt(product);
      await product.startService('coordinator', { crash, said });
      break;
    case 'alone-asked': {
      const transaction = await leaveCommittedAlone(product);
      const armed = (id: ServiceId) => (id === service ? { crash } : {});
      await product.startService('coordinator', armed('coordinator'));
      // Ready it is only while a coordinator is there, and that may be dead again by now.
      const said = 'application successfully started';
      await product.startService('ledger-west', { ...armed('ledger-west'), said });
      return { answer: askUntilReached(product, cell, transaction) };
    }
    case 'inquire':
      await leaveInDoubt(product);
      await product.kill(service);
      await product.startService('coordinator', { crash: `commit.pre@${service}=hang` });
      await product.startService(service, { crash, said });
      break;
  }
  return { answer: Promise.resolve(undefined) };
}

/** A busy machine may let a transaction end in time, before it came to the point: then another. */
async function sendUntilReached(product: Product, { service, story }: Cell): Promise<Told> {
  for (;;) {
    const told = await send(product, story);
    const isReached = product.isReached(service);
    const isSentAgain = story === 'commit' || story === 'alone';
    if (isReached || told !== 409 || !isSentAgain) return told;
  }
}

/** Asks what became of it until that has led to the point. */
async function askUntilReached(
  product: Product,
  { service }: Cell,
  transaction: string,
): Promise<Told> {
  for (;;) {
    const asked = product
      .request('GET', `/v1/transactions/${transaction}`)
      .then(({ status, body }) => (body['decision'] === undefined ? undefined : status))
      .catch(() => undefined);
    // The process that must answer may be the one that is armed.
    const told = await Promise.race([asked, pause(TRANSACTION_MS).then(() => undefined)]);
    if (product.service(service).output().includes('crash point') || told === 200) return told;
    await pause(100);
  }
}

async function send(product: Product, story: Cell['story']): Promise<Told> {
  const body = transferBody(AMOUNT, { timeoutMs: TRANSACTION_MS });
  if (isAlone(story)) {
    body.branches.shift();
    // To bob, who has less than that to give.
    const [west] = body.branches;
    if (story === 'alone-refused' && west) {
      west.operations = [{ name: 'debit', input: { account: 'bob', amount: 1_000_000_000 } }];
    }
  }
  if (story === 'abort') {
    // The west credits; the east finds too little, so both get an abort.
    const [east] = body.branches;
    const operation = east?.operations[0];
    if (operation) operation.input.amount = 1_000_000_000;
  }
  try {
    const answer = await product.request('POST', '/v1/transactions?wait=5s', { body });
    return answer.status;
  } catch {
    return undefined;
  }
}

/** Until the coordinator has heard that the participant knows one phase: before that there is nothing to test. */
async function untilOnePhase(product: Product): Promise<void> {
  const body = transferBody(1);
  body.branches.shift();
  await waitFor(
    async () => {
      const answer = await product.request('POST', '/v1/transactions?wait=5s', { body });
      return answer.headers.get('location')?.endsWith('-ledger-west') ?? false;
    },
    { what: 'a transaction in one phase', timeoutMs: 60_000, everyMs: 500 },
  );
}

/** Lets a participant die behind its commit in one phase, and then the owner: nothing else knows of it. */
async function leaveCommittedAlone(product: Product): Promise<string> {
  await product.restart('ledger-west', { crash: 'prepare.post=kill' });
  void send(product, 'alone');
  await product.service('ledger-west').exited;
  await product.kill('coordinator');
  const [last] = await product.sql<{ transaction: string }>('ledger-west', LAST_ROW);
  if (!last) throw new Error('nothing was committed in one phase');
  return last.transaction;
}

/** Lets a coordinator die with a decision on record, so that others must settle it. */
async function leaveInDoubt(product: Product): Promise<void> {
  product.arm('coordinator', 'decide.post=kill');
  void send(product, 'commit');
  await product.service('coordinator').exited;
  await waitFor(async () => (await product.prepared()).length === 2, {
    what: 'both branches to be in doubt',
  });
}

/**
 * Until no branch is in doubt, no commit is without its end, and no database transaction of a
 * participant is open, which might still prepare. A process that is dead, or dies of what was thrown, is
 * started again, as an init system would.
 */
async function untilSettled(product: Product): Promise<void> {
  await waitFor(
    async () => {
      await product.startDead();
      const [work] = await product.sql<{ open: number }>('superuser', OPEN_WORK);
      const [commits] = await product.sql<{ open: number }>('concordat', OPEN_COMMITS);
      if (work?.open !== 0 || commits?.open !== 0) return false;
      return (await product.prepared()).every(({ gid }) => !gid.startsWith('cc:'));
    },
    { what: 'nothing to be open or in doubt', timeoutMs: 45_000, everyMs: 100 },
  );
}

async function holdToPromises(
  product: Product,
  cell: Cell,
  before: { alice: number; bob: number },
  told: Told,
): Promise<void> {
  const after = await product.balances();
  const moved = after.bob - before.bob;
  const where = JSON.stringify({ cell, told, before, after });
  if (isAlone(cell.story)) return holdAlone(product, where, { ...cell, moved, told });
  if (before.alice - after.alice !== moved) throw new Error(`money was made or lost: ${where}`);
  if (moved !== 0 && moved !== AMOUNT) throw new Error(`half a transfer: ${where}`);
  if (told === 200 && moved !== AMOUNT) throw new Error(`an answered commit is gone: ${where}`);
  if (told === 409 && moved !== 0) throw new Error(`an answered abort is there: ${where}`);
  const isStanding = cell.story === 'recover' || cell.story === 'inquire';
  if (isStanding && moved !== AMOUNT) throw new Error(`not recovered: ${where}`);
  if (cell.story === 'abort' && moved !== 0) throw new Error(`a refused one is there: ${where}`);
}

/** Of one branch there is one truth: what it did, what its client was told, and what anybody hears later. */
async function holdAlone(
  product: Product,
  where: string,
  { story, moved, told }: { story: Cell['story']; moved: number; told: Told },
): Promise<void> {
  const due = story === 'alone' ? [0, AMOUNT] : [story === 'alone-asked' ? AMOUNT : 0];
  if (!due.includes(moved)) throw new Error(`not once, or though refused: ${where}`);
  if (told === 200 && moved !== AMOUNT) throw new Error(`an answered commit is gone: ${where}`);
  if (told === 409 && moved !== 0) throw new Error(`an answered abort is there: ${where}`);
  const [last] = await product.sql<{ transaction: string; kind: string }>('ledger-west', LAST_ROW);
  if (!last) return;
  const isThere = last.kind === 'branch' ? 'commit' : 'abort';
  let answer: unknown;
  await waitFor(
    async () => {
      await product.startDead(); // What was thrown may end a process later than all was settled.
      const { body } = await product.request('GET', `/v1/transactions/${last.transaction}`);
      answer = body;
      return typeof body['decision'] === 'string';
    },
    { what: `a decision of ${last.transaction}` },
  );
  const { decision } = answer as { decision: string };
  if (decision !== isThere) throw new Error(`told ${decision}, and it is ${isThere}: ${where}`);
}
