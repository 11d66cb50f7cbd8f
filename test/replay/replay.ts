/**
 * One walk through the model, step by step beside the shipped engine: the owner's manager and a branch manager
 * per participant, in the world of stories and simulation, over ports that answer what the trace says. After
 * each step both must be in the same state and must have asked for the same.
 */
import type { TransactionView } from '@concordat/engine';
import {
  formatGid,
  makeBranchId,
  tokenFrom,
  type Decision,
  type ParticipantName,
  type TransactionId,
} from '@concordat/protocol';
import { isSettled } from '../model/coordinator-host.js';
import { outcomeOf } from '../model/coordinator-rules.js';
import type { AckKind, Participant, World } from '../model/world.js';
import { History } from '../simulation/history.js';
import { CoordinatorProcess, ParticipantProcess, type Times } from '../simulation/nodes.js';
import { Random } from '../simulation/random.js';
import { Timeline } from '../simulation/timeline.js';
import { ReplayedNetwork, ReplayedRegister, ReplayedService, wordOf } from './replayed-ports.js';

const NEVER_MS = 100_000_000;
const TIMES: Times = {
  ofTransactions: {
    timeoutMsDefault: NEVER_MS,
    timeoutMsMax: NEVER_MS,
    finishTimeoutMs: NEVER_MS,
    abortNotificationMs: NEVER_MS,
    afterglowMs: NEVER_MS,
  },
  ...{ inquiryMs: NEVER_MS, pingMs: NEVER_MS, waitsMs: NEVER_MS, lookMs: NEVER_MS, joinMs: 0 },
  ...{ recovererPeriodMs: NEVER_MS, resolverPeriodMs: NEVER_MS, resolverGraceMs: NEVER_MS },
};
/** Longer than any backoff here, and shorter than every other timer. */
const BACKOFFS_MS = 60_000;

const ROLLED_BACK = {
  kind: 'rolled-back',
  vote: { kind: 'no', code: 'NO', reason: '', retryable: false },
} as const;
const UNKNOWN = { kind: 'unknown', reason: 'lost' } as const;

export class Replay {
  readonly random = new Random(1);
  readonly timeline = new Timeline(false);
  readonly network = new ReplayedNetwork(this.timeline);
  readonly register = new ReplayedRegister();
  readonly broken: Error[] = [];
  private readonly services = new Map<string, ReplayedService>();
  private readonly participants = new Map<string, ParticipantProcess>();
  private readonly owner: CoordinatorProcess;
  private readonly cluster = tokenFrom(this.random.bytes(8));
  private readonly sent = new Map<string, number>();
  private transaction = '' as TransactionId;
  private hasEnded = false;

  constructor(private readonly names: readonly string[]) {
    const { timeline, random, network, cluster, broken } = this;
    const around = {
      ...{ cluster, timeline, random, network, history: new History(), times: TIMES },
      register: () => this.register,
      service: (participant: ParticipantName) => {
        const service = new ReplayedService();
        this.services.set(participant, service);
        return service;
      },
      ...{ clockRate: () => 1, inOnePhase: () => false, clocksMsMax: 0, looksByItself: false },
      asked: () => undefined,
      broken: (error: Error) => broken.push(error),
    };
    this.owner = new CoordinatorProcess('c1', around);
    for (const name of names) {
      // The model sends an abort beside a PREPARE at once: the worst moment, not the likely one.
      const limits = { inDoubtMax: 50, sessionsMax: 50, closingPatienceMs: 0 };
      const one = new ParticipantProcess(name, name as ParticipantName, around, limits);
      this.participants.set(name, one);
    }
  }

  /** Does what a step of the model says. Throws when the engine cannot, as it waits for something else. */
  async perform(label: string): Promise<void> {
    for (const [pattern, act] of ACTS) {
      const found = pattern.exec(label);
      if (!found) continue;
      await act(this, found.slice(1));
      await this.play(0);
      for (const name of this.names) {
        if (this.phaseAt(name) === 'absent') this.service(name).abandonPrepare();
      }
      return;
    }
    throw new Error(`no act for “${label}”`);
  }

  /** Which sentence this is; undefined for one that is not replayed. */
  static sentence(label: string): string | undefined {
    return ACTS.find(([pattern]) => pattern.test(label))?.[0].source;
  }

  static sentences(): string[] {
    return ACTS.map(([pattern]) => pattern.source);
  }

  /** What is different between the model's state and the engine's; empty when nothing is. */
  difference(world: World): string[] {
    const [coordinator] = world.coordinators;
    const { live } = this;
    const { forcing, unsent, transaction, noting } = coordinator;
    const differences = new Map<string, readonly [unknown, unknown]>();
    const compare = (what: string, model: unknown, engine: unknown): void => {
      if (text(model) !== text(engine)) differences.set(what, [model, engine]);
    };
    compare('machine at c1', transaction, live.state);
    const asked = forcing.slice(0, 1).map(({ records }) => records[0]?.type);
    compare(
      'asked of the register',
      asked,
      this.register.pending.map((one) => one.what),
    );
    // What has ended stays ended, also when evidence comes later and is not durable yet.
    this.hasEnded ||= isSettled(coordinator);
    compare('reported as ended', this.hasEnded, this.view?.outcome !== undefined);
    if (noting) compare('noted as ended', noting, this.register.noted);
    if (unsent.length === 0) {
      compare('sent', [...this.sent].sort(), [...this.network.sent].sort());
    }
    world.participants.forEach((one, i) => {
      const name = this.names[i] as string;
      const [instance] = one.instances;
      compare(`branch at ${name}`, instance?.branch.phase, this.phaseAt(name));
      compare(`statements at ${name}`, statementsOf(one), this.service(name).statements);
      compare(`answers of ${name}`, answersOf(one), this.answersOf(name, one.unheard));
    });
    compare('broken', [], this.broken);
    return [...differences].map(
      ([what, [model, engine]]) => `${what}: the model ${text(model)}, the engine ${text(engine)}`,
    );
  }

  // What acts do.

  begin(): void {
    const branches = this.names.map((participant) => ({
      participant: participant as ParticipantName,
      operations: [{ name: 'work', input: {} }],
    }));
    const call = { principal: 'client', branches, prepare: 'parallel' } as const;
    this.transaction = this.owner.manager.launch(call).transaction;
  }

  count(kind: string, name: string): void {
    const key = `${kind} ${name}`;
    this.sent.set(key, (this.sent.get(key) ?? 0) + 1);
  }

  service(name: string): ReplayedService {
    return this.services.get(name) as ReplayedService;
  }

  apply(event: 'deadline-passed' | 'notification-over'): void {
    const { manager } = this.owner;
    manager['performer'].apply(this.live, { type: event });
  }

  rollback(): void {
    const wait = { until: 'decided', waitMs: 0 } as const;
    // It is refused where it comes too late.
    this.owner.manager.rollback(this.transaction, 'changed its mind', wait).catch(() => undefined);
  }

  play(ms: number): Promise<void> {
    return this.timeline.play(this.timeline.now + ms);
  }

  private get live() {
    const live = this.owner.manager['transactions'].get(this.transaction);
    if (!live) throw new Error('nothing was begun');
    return live;
  }

  private get view(): TransactionView | undefined {
    return this.owner.manager.view(this.transaction);
  }

  private phaseAt(name: string): string {
    const branch = makeBranchId(this.names.indexOf(name) + 1);
    const { cluster, transaction } = this;
    const gid = formatGid({ cluster, transaction, branch });
    const { manager } = this.participants.get(name) as ParticipantProcess;
    return manager['branches'].get(gid)?.state.phase ?? 'absent';
  }

  private answersOf(name: string, isUnheard: boolean): string[] {
    const said = this.network.back.filter((one) => one.participant === name).map(wordOf);
    const heard = said.filter((one) => one && !(isUnheard && one.startsWith('vote')));
    return [...new Set(heard as string[])].sort();
  }
}

type Act = (replay: Replay, words: readonly string[]) => void | Promise<void>;

/** What each sentence of a trace means for the engine. What the engine did already needs no act. */
const ACTS: readonly (readonly [RegExp, Act])[] = [
  [/^the client asks c1 for the commit$/, (replay) => replay.begin()],
  [/^c1 sends (\w+) to (p\d)$/, (replay, [kind = '', name = '']) => replay.count(kind, name)],
  [
    /^(p\d) gets (prepare|commit|abort)(, and a copy is under way)?$/,
    ({ network }, [name = '', kind, copy]) =>
      network.deliver(kind as 'prepare' | Decision, name, copy !== undefined),
  ],
  [
    /^the work at (p\d) (is done|writes nothing|refuses)/,
    (replay, [name = '', how]) => replay.service(name).finishWork(how !== 'refuses'),
  ],
  [/^the outcome row of p\d is inserted/, () => undefined],
  [/^PREPARE lands/, () => undefined],
  [/^(COMMIT|ROLLBACK) PREPARED at p\d: no such transaction/, () => undefined],
  [/^ROLLBACK PREPARED at p\d$/, () => undefined],
  [/^the register notes/, () => undefined],
  [/^somebody enters/, () => undefined],
  [
    /^the outcome row of (p\d) (?:is refused|waits)/,
    (replay, [name = '']) => replay.service(name).answer('prepare', ROLLED_BACK),
  ],
  [
    /^PREPARE fails in the database of (p\d)/,
    (replay, [name = '']) => replay.service(name).answer('prepare', ROLLED_BACK),
  ],
  [
    /^the database of (p\d) finds nothing written/,
    (replay, [name = '']) => replay.service(name).answer('prepare', { kind: 'read-only' }),
  ],
  [
    /^(p\d) learns from its database that it is prepared/,
    (replay, [name = '']) => replay.service(name).answer('prepare', { kind: 'prepared' }),
  ],
  [
    /^(p\d) loses the connection on which it prepared/,
    (replay, [name = '']) => replay.service(name).answer('prepare', UNKNOWN),
  ],
  [
    /^COMMIT PREPARED at (p\d)(; the answer is lost)?$/,
    (replay, [name = '', lost]) =>
      replay.service(name).answer('commit', lost ? UNKNOWN : { kind: 'committed' }),
  ],
  [
    /^(p\d) reads its outcome row: ([\w-]+)(; the answer is lost)?$/,
    (replay, [name = '', found, lost]) =>
      replay
        .service(name)
        .answer('commit', lost ? UNKNOWN : (outcomeOf(found as AckKind) as never)),
  ],
  [
    /^(p\d) leaves a tombstone: ([\w-]+)(; the answer is lost)?$/,
    (replay, [name = '', found, lost]) =>
      replay.service(name).answer('abort', lost ? UNKNOWN : (outcomeOf(found as AckKind) as never)),
  ],
  [
    /^the tombstone at (p\d) waits/,
    (replay, [name = '']) => replay.service(name).answer('abort', UNKNOWN),
  ],
  [
    /^(p\d) does not reach its database/,
    (replay, [name = '']) => {
      const service = replay.service(name);
      const [statement] = service.statements.filter((one) => one !== 'prepare');
      service.answer(statement ?? 'commit', UNKNOWN);
    },
  ],
  [
    /^c1 receives “([^”]+)” from (p\d)(, and a copy is under way)?$/,
    ({ network }, [word, name, copy]) =>
      network.hear((one) => one.participant === name && wordOf(one) === word, copy !== undefined),
  ],
  [
    /^“(prepare|commit|abort)” is lost on its way to (p\d)$/,
    ({ network }, [kind, name = '']) => network.drop(kind as 'prepare' | Decision, name),
  ],
  [
    /^“(.+)” is lost on its way from (p\d)$/,
    ({ network }, [word, name]) =>
      network.dropReply((one) => one.participant === name && wordOf(one) === word),
  ],
  [
    /^c1 proposes commit and learns that (commit|abort) is on record$/,
    ({ register }, [decision]) => register.answer(decision as Decision),
  ],
  [/^c1 records the heuristic outcome of p\d$/, ({ register }) => register.answer()],
  [
    /^c1 (?:proposes commit; the register takes it, and|records the heuristic outcome of p\d, and|proposes commit;) the answer is lost$/,
    async (replay) => {
      replay.register.loseAnswer();
      await replay.play(BACKOFFS_MS);
    },
  ],
  [/^the deadline passes at c1$/, (replay) => replay.apply('deadline-passed')],
  [/^c1 stops sending the abort/, (replay) => replay.apply('notification-over')],
  [/^the client asks for a rollback$/, (replay) => replay.rollback()],
  [
    /^c1 gets no answer from (p\d)( and asks again| and asks no more)?$/,
    async (replay, [name = '', next]) => {
      const kind = replay.network.giveUp(name);
      await replay.play(BACKOFFS_MS);
      if (next === ' and asks again') replay.count(kind, name);
    },
  ],
];

function statementsOf({ instances: [instance] }: Participant): string[] {
  const { statement, finish } = instance as NonNullable<typeof instance>;
  return [
    ...(finish === 'commit' || finish === 'judge' ? ['commit'] : []),
    ...(finish === 'rollback' || finish === 'fence' ? ['abort'] : []),
    ...(statement === 'idle' ? [] : ['prepare']),
  ].sort();
}

function answersOf({ mail, unheard }: Participant): string[] {
  return mail
    .filter((one) => one.endsWith('>1') || (one.startsWith('vote') && !unheard))
    .map((one) => one.replace('>1', ''))
    .sort();
}

const UNSEEN = new Set(['cause', 'explanation', 'reason', 'code', 'retryable', 'participant']);

/** Causes and explanations apart, which no step looks at. */
function text(value: unknown): string {
  return JSON.stringify(value ?? null, (key, part: unknown) => {
    if (UNSEEN.has(key)) return undefined;
    if (part instanceof Map) return [...part].sort();
    if (part instanceof Set) return [...part].sort();
    if (part instanceof Error) return part.message;
    if (part && typeof part === 'object' && !Array.isArray(part)) {
      return Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)));
    }
    return part;
  });
}
