/**
 * What is sent into a fault. A shape ends up at the point: it arms what has to be armed and sends, and gives
 * back the answer that its client is waiting for.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { waitFor } from '@concordat/testing';
import { transferBody, type Product, type ServiceId } from '../stage/product.js';
import { isPoint, type CaseRun, type Shape } from './case.js';
import type { Answer, CaseStage } from './stage.js';

/** What every transaction of a case moves from alice to bob. */
export const AMOUNT = 100;
/** More than anybody has. */
const TOO_MUCH = 1_000_000_000;
const TIMEOUT_MS = 10_000;

interface ShapeOf {
  /** As the page of cases says it. */
  readonly about: string;
  /** Before anything is counted. */
  readonly ready?: (stage: CaseStage) => Promise<unknown>;
  /** Arms, and sends. Not awaited is the answer: the process that must give it may be the one that is armed. */
  readonly lead: (run: CaseRun) => Promise<{ readonly answer: Promise<Answer | undefined> }>;
}

const LAST_ROW = `SELECT transaction FROM concordat_branch
   WHERE length(transaction) > 35 ORDER BY transaction DESC LIMIT 1`;

export const SHAPES: Readonly<Record<Shape, ShapeOf>> = {
  transfer: { about: 'a transfer between two participants', lead: sent },
  refused: { about: 'a transfer that one participant refuses', lead: sent },
  three: { about: 'a transfer with a third participant', lead: sent },
  'step-by-step': { about: 'a transfer in calls of open work', lead: inCalls },
  recover: {
    about: 'a commit on record whose coordinator died, left to the claim of the next',
    lead: recovered,
  },
  inquire: {
    about: 'the same, left to an inquiry of a participant',
    lead: inquired,
  },
  alone: { about: 'one branch, committed in one phase', ready: untilOnePhase, lead: sent },
  'alone-refused': {
    about: 'one branch in one phase, refused by its participant',
    ready: untilOnePhase,
    lead: sent,
  },
  'alone-asked': {
    about: 'one branch committed in one phase, its participant and its owner dead, asked about',
    ready: untilOnePhase,
    lead: asked,
  },
};

/** Whether it has one branch, at ledger-west. */
export const isAlone = (shape: Shape): boolean => shape.startsWith('alone');

function bodyOf(shape: Shape, timeoutMs = TIMEOUT_MS) {
  const body = transferBody(AMOUNT, { timeoutMs });
  const [east, west] = body.branches;
  if (!east || !west) throw new Error('a transfer has two branches');
  if (shape === 'refused') {
    // The west credits; the east finds too little, so both get an abort.
    east.operations = [{ name: 'debit', input: { account: 'alice', amount: TOO_MUCH } }];
  }
  if (shape === 'alone-refused') {
    west.operations = [{ name: 'debit', input: { account: 'bob', amount: TOO_MUCH } }];
  }
  const operations = [{ name: 'stock', input: { sku: 'widget', quantity: 1 } }];
  const third = { participant: 'inventory', operations };
  const branches = isAlone(shape) ? [west] : [east, west];
  return { ...body, branches: shape === 'three' ? [...branches, third] : branches };
}

/** Sends it, and does not care whether an answer comes: its coordinator may be about to die. */
function send({ product, row }: CaseRun, shape = row.sends): Promise<Answer | undefined> {
  const path = `/v1/transactions${row.wait ? `?wait=${row.wait}` : ''}`;
  const { idempotencyKey: key } = row;
  const headers: Record<string, string> = key ? { 'idempotency-key': key } : {};
  const request = { body: bodyOf(shape, row.timeoutMs), headers };
  return product.request('POST', path, request).catch(() => undefined);
}

function arm(run: CaseRun): void {
  const services = new Set(run.row.faults.filter(isPoint).map((fault) => fault.at));
  for (const service of services) run.product.arm(service, run.crashOf(service));
}

function sent(run: CaseRun): ReturnType<ShapeOf['lead']> {
  arm(run);
  return Promise.resolve({ answer: sendUntilReached(run) });
}

/** A busy machine may let a transaction end in time, before it came to the point: then another. */
async function sendUntilReached(run: CaseRun): Promise<Answer | undefined> {
  const services = run.row.faults.filter(isPoint).map((fault) => fault.at);
  const isMeantToCommit = run.row.sends === 'transfer' || run.row.sends === 'alone';
  for (;;) {
    const told = await send(run);
    const isReached = services.every((service) => run.product.isReached(service));
    if (isReached || told?.status !== 409 || !isMeantToCommit) return told;
  }
}

function inCalls(run: CaseRun): ReturnType<ShapeOf['lead']> {
  arm(run);
  const transfer = run.product.client().run({ timeoutMs: run.row.timeoutMs }, async (open) => {
    await open.call('ledger-west', 'credit', { account: 'bob', amount: AMOUNT });
    await open.call('ledger-east', 'debit', { account: 'alice', amount: AMOUNT });
  });
  const answer = transfer.then(() => undefined);
  answer.catch(() => undefined); // Awaited once the fault has happened, and thrown then.
  return Promise.resolve({ answer });
}

const UNANSWERED = { answer: Promise.resolve(undefined) };

async function recovered(run: CaseRun): ReturnType<ShapeOf['lead']> {
  await leaveInDoubt(run);
  const crash = run.crashOf('coordinator');
  await run.product.startService('coordinator', { crash, said: 'crash point' });
  return UNANSWERED;
}

/** For a participant's inquiry to matter, its coordinator is kept from finishing. */
async function inquired(run: CaseRun): ReturnType<ShapeOf['lead']> {
  const { product } = run;
  const [fault] = run.row.faults.filter(isPoint);
  const service = fault?.at ?? 'ledger-west';
  await leaveInDoubt(run);
  await product.kill(service);
  await product.startService('coordinator', { crash: `commit.pre@${service}=hang` });
  await product.startService(service, { crash: run.crashOf(service), said: 'crash point' });
  return UNANSWERED;
}

async function asked(run: CaseRun): ReturnType<ShapeOf['lead']> {
  const { product } = run;
  const transaction = await leaveCommittedAlone(run);
  const armed = (id: ServiceId) => {
    const crash = run.crashOf(id);
    return crash === '' ? {} : { crash };
  };
  await product.startService('coordinator', armed('coordinator'));
  // Ready it is only while a coordinator is there, and that may be dead again by now.
  const said = 'application successfully started';
  await product.startService('ledger-west', { ...armed('ledger-west'), said });
  return { answer: askUntilReached(run, transaction) };
}

/** Asks what became of it until that has led to the point. */
async function askUntilReached(
  { product, row }: CaseRun,
  transaction: string,
): Promise<Answer | undefined> {
  const services = row.faults.filter(isPoint).map((fault) => fault.at);
  for (;;) {
    const look = product
      .request('GET', `/v1/transactions/${transaction}`)
      .then((answer) => (answer.body['decision'] === undefined ? undefined : answer))
      .catch(() => undefined);
    // The process that must answer may be the one that is armed.
    const told = await Promise.race([look, pause(row.timeoutMs, undefined)]);
    const isReached = services.some((id) => product.service(id).output().includes('crash point'));
    if (isReached || told?.status === 200) return told;
    await pause(100);
  }
}

/** Until the coordinator has heard that the participant knows one phase: before that there is nothing to test. */
async function untilOnePhase({ product }: CaseStage): Promise<void> {
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
async function leaveCommittedAlone(run: CaseRun): Promise<string> {
  const { product } = run;
  await product.restart('ledger-west', { crash: 'prepare.post=kill' });
  void send(run, 'alone');
  await product.service('ledger-west').exited;
  await product.kill('coordinator');
  const [last] = await product.sql<{ transaction: string }>('ledger-west', LAST_ROW);
  if (!last) throw new Error('nothing was committed in one phase');
  return last.transaction;
}

/** Lets a coordinator die with a decision on record, so that others must settle it. */
async function leaveInDoubt(run: CaseRun): Promise<void> {
  const product: Product = run.product;
  product.arm('coordinator', 'decide.post=kill');
  void send(run, 'transfer');
  await product.service('coordinator').exited;
  await run.stage.untilPrepared(2);
}
