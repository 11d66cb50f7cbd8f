/**
 * The workload: clients that move money between participants, in one call, or interactively through
 * the coordinator's work messages, direct calls of services, or both, in one branch or several.
 */
import {
  JoinRefused,
  Refusal,
  RegisterUnknown,
  VoteNoError,
  type OperationCall,
} from '@concordat/engine';
import { NoCode, type ParticipantName, type TransactionId } from '@concordat/protocol';
import type { ClientRecord, GivenUp, History } from './history.js';
import type { KeyedAnswer } from './keyed-requests.js';
import type { CoordinatorProcess, ParticipantProcess } from './nodes.js';
import type { WorldOptions } from './options.js';
import type { Random } from './random.js';
import type { Timeline } from './timeline.js';
import { ACCOUNT, SAVINGS } from './workload-account.js';

export { ACCOUNT };

/** A service that was called directly did not answer in time: its caller gives up. */
class CallFailed extends Error {
  override readonly name = 'CallFailed';
}

const CALL_TIMEOUT_MS = 3_000;
/** How long a client waits for its answer, beyond its patience with queues. */
const WAIT_MS = 8_000;

export interface Stage {
  readonly random: Random;
  readonly timeline: Timeline;
  readonly options: WorldOptions;
  readonly history: History;
  readonly names: readonly ParticipantName[];
  readonly coordinators: readonly CoordinatorProcess[];
  readonly participants: readonly ParticipantProcess[];
}

/** One client: moves money between participants and notes its answers. */
export function submitOne(stage: Stage): void {
  const { random, options, history } = stage;
  const names = shuffled(random, stage.names);
  if (options.onePhase > 0 && random.chance(options.onePhase)) return submitAlone(stage, names);
  const involved = names.slice(0, random.between(2, Math.min(names.length, random.between(2, 8))));
  const deltas = new Map<string, number>();
  // With housekeeping some only look: then nothing is decided, and only the history has the end.
  const looksOnly = options.house && random.chance(0.25);
  const amount = looksOnly ? 0 : random.between(1, 20);
  involved.forEach((name, i) => deltas.set(name, i === 0 ? -amount : i === 1 ? amount : 0));
  const key = random.chance(options.keyed) ? `client:${random.between(1, 2)}` : undefined;
  const record: ClientRecord = { deltas, told: 'unknown', ...(key ? { key } : {}) };
  history.clients.push(record);
  history.count('begun');
  const coordinator = random.pick(stage.coordinators);
  const way = random.chance(options.interactive) ? interactive : oneCall;
  send(stage, coordinator, way, record);
}

function send(
  stage: Stage,
  coordinator: CoordinatorProcess,
  way: (stage: Stage, coordinator: CoordinatorProcess, record: ClientRecord) => Promise<void>,
  record: ClientRecord,
): void {
  const { history } = stage;
  // A paused coordinator takes the call when it goes on; a dead one never does.
  coordinator.host.admit(() => {
    if (!coordinator.isOpen) {
      // It is refused: nothing begins before it is on the list.
      record.turnedAwayAtMs = coordinator.ageMs;
      history.count('turnedAway');
      return;
    }
    way(stage, coordinator, record).catch((error: unknown) => {
      if (!(error instanceof Refusal)) history.broken.push(error as Error);
      else if (error.view) told(stage, coordinator, record, error.view);
    });
  });
}

/** The same for one that has one branch: it moves money from one account of a participant to another. */
function submitAlone(stage: Stage, [name = '' as ParticipantName]: ParticipantName[]): void {
  const { random, history } = stage;
  const looksOnly = random.chance(0.1);
  const record: ClientRecord = {
    deltas: new Map([[name, looksOnly ? 0 : random.between(1, 20)]]),
    told: 'unknown',
  };
  history.clients.push(record);
  history.count('begun');
  send(stage, random.pick(stage.coordinators), oneCall, record);
}

async function oneCall(
  stage: Stage,
  coordinator: CoordinatorProcess,
  record: ClientRecord,
): Promise<void> {
  const { random } = stage;
  const isAlone = record.deltas.size === 1;
  const branches = [...record.deltas].map(([participant, delta]) => ({
    participant: participant as ParticipantName,
    operations: [
      { name: 'add', input: { account: ACCOUNT, delta } },
      ...(isAlone ? [{ name: 'add', input: { account: SAVINGS, delta: -delta } }] : []),
    ],
  }));
  const timeoutMs = random.between(500, 5_000) + patienceMs(stage);
  const until = random.chance(0.5) ? 'decided' : 'completed';
  const prepare = stage.options.ordered ? 'ordered' : 'auto';
  const call = { principal: 'client', timeoutMs, branches, prepare } as const;
  const wait = { until, waitMs: WAIT_MS + patienceMs(stage) } as const;
  if (!record.key) {
    told(stage, coordinator, record, await coordinator.manager.submit(call, wait));
    return;
  }
  const idempotency = { key: record.key, fingerprint: 'same' };
  try {
    const answer = await coordinator.keyed.submit({ ...call, idempotency }, wait);
    // Another request's transaction, of which this client asked for something like it.
    if (answer.replayed) record.deltas = new Map();
    told(stage, coordinator, record, answer);
  } catch (error) {
    if (!(error instanceof RegisterUnknown)) throw error;
    // Its client learns that the register is not there, and nothing of the transaction.
  }
}

async function interactive(
  stage: Stage,
  coordinator: CoordinatorProcess,
  record: ClientRecord,
): Promise<void> {
  const { random, history } = stage;
  const { manager } = coordinator;
  const thinksMs = stage.options.house && random.chance(0.3) ? random.between(22_000, 28_000) : 0;
  const timeoutMs = thinksMs + random.between(2_000, 8_000) + patienceMs(stage);
  const { transaction } = manager.begin({ principal: 'client', timeoutMs });
  record.transaction = transaction;
  // It does no work then: a branch would be older than what is kept, and past the help of any register.
  let gaveUp: GivenUp | undefined = thinksMs > 0 ? 'mind-changed' : undefined;
  if (gaveUp) await thinking(stage, coordinator, thinksMs);
  for (const [participant, delta] of gaveUp ? [] : record.deltas) {
    for (const part of parts(random, delta)) {
      const name = participant as ParticipantName;
      const operation = { name: 'add', input: { account: ACCOUNT, delta: part } };
      if (!random.chance(stage.options.joins)) {
        await manager.work(transaction, name, [operation]);
        continue;
      }
      history.count('joins');
      gaveUp = await callDirectly(stage, coordinator, transaction, name, operation);
      if (gaveUp) history.count('joinsRefused');
      if (gaveUp) break;
    }
    if (gaveUp) break;
  }
  if (!gaveUp && random.chance(0.15)) gaveUp = 'mind-changed';
  if (gaveUp) record.gaveUp = gaveUp;
  const wait = { until: 'decided', waitMs: WAIT_MS + patienceMs(stage) } as const;
  const view = record.gaveUp
    ? await manager.rollback(transaction, 'changed my mind', wait)
    : await manager.commit(transaction, wait);
  told(stage, coordinator, record, view);
}

/** A client begins, and changes its mind after a time longer than anything ended is kept. */
function thinking({ timeline }: Stage, { host }: CoordinatorProcess, ms: number): Promise<void> {
  return new Promise((resolve) => {
    timeline.at(ms, () => host.admit(resolve));
  });
}

/** A direct call of any instance of a service. Resolves with why it took no part, if it did not, or may not have. */
async function callDirectly(
  stage: Stage,
  coordinator: CoordinatorProcess,
  transaction: TransactionId,
  name: ParticipantName,
  operation: OperationCall,
): Promise<GivenUp | undefined> {
  const { random, timeline, participants } = stage;
  const instances = participants.filter((one) => one.participant === name);
  if (instances.length === 0) return 'call-failed';
  const instance = random.pick(instances);
  const called = new Promise<void>((resolve, reject) => {
    const giveUp = timeline.at(CALL_TIMEOUT_MS + patienceMs(stage), () =>
      coordinator.host.admit(() => reject(new CallFailed('no answer'))),
    );
    // The answers come to a client of the coordinator's: it is there as long as the coordinator is.
    const answer = (settle: () => void) => {
      giveUp();
      timeline.at(1, () => coordinator.host.admit(settle));
    };
    timeline.at(random.between(1, 30), () =>
      instance.host.admit(() => {
        instance.join(transaction, operation).then(
          () => answer(() => resolve()),
          (error: unknown) => answer(() => reject(error as Error)),
        );
      }),
    );
  });
  try {
    await called;
    return undefined;
  } catch (error) {
    if (error instanceof JoinRefused && error.code === 'branch-elsewhere') return error.code;
    const isExpected =
      error instanceof JoinRefused || error instanceof VoteNoError || error instanceof CallFailed;
    if (isExpected || isSessionOver(error)) return 'call-failed';
    throw error;
  }
}

function isSessionOver(error: unknown): boolean {
  return error instanceof Error && error.message === 'the session has ended';
}

/** A share in one piece or two: a second call meets the branch that the first one opened. */
function parts(random: Random, delta: number): number[] {
  if (!random.chance(0.3)) return [delta];
  const first = random.between(0, delta);
  return [first, delta - first];
}

function told(
  { timeline, history }: Stage,
  coordinator: CoordinatorProcess,
  record: ClientRecord,
  view: Omit<KeyedAnswer, 'replayed'>,
): void {
  record.transaction = view.transaction;
  if (!coordinator.host.alive() || !view.decision) return;
  record.told = view.decision === 'commit' ? 'committed' : 'aborted';
  if (view.outcome) record.outcome = view.outcome;
  const { cause } = view;
  if (cause?.kind === 'vote') {
    if (cause.vote.code === NoCode.distributedDeadlock) record.isVictim = true;
    if (cause.vote.code === NoCode.restartedInOrder) record.isRestarted = true;
  }
  history.count(view.decision === 'commit' ? 'commits' : 'aborts');
  timeline.tell(() => `client got ${view.transaction} ${record.told} ${view.outcome ?? ''}`);
}

/** Where rows are locked, a queue of transactions that go through one after another. */
function patienceMs({ options }: Stage): number {
  return options.locks ? 20_000 : 0;
}

export function shuffled<T>(random: Random, items: readonly T[]): T[] {
  const result = [...items];
  for (let i = result.length - 1; i > 0; i--) {
    const j = random.between(0, i);
    [result[i], result[j]] = [result[j] as T, result[i] as T];
  }
  return result;
}
