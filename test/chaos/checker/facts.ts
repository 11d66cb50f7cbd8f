/**
 * A history, read once into maps. Guards "one pass": every checker asks these maps and none reads the
 * lines again, so that 30 minutes are checked in seconds. Lines are taken by their time, so that their
 * order in the file means nothing.
 */
import {
  placeOf,
  witnessOf,
  type Act,
  type Acted,
  type Answer,
  type AuditHead,
  type AuditRow,
  type DbaAct,
  type DecisionRow,
  type Delta,
  type Event,
  type FaultEvent,
  type HeuristicRow,
  type Initial,
  type Invoke,
  type JournalRow,
  type Life,
  type OutcomeRow,
  type Phase,
  type PhaseName,
  type Plant,
  type Poll,
  type PreparedRow,
} from './history.js';

/** One attempt of a client: its question and its answer. */
export interface Attempt {
  readonly invoke: Invoke;
  readonly answers: readonly Answer[];
}

/** What the databases made of one transaction. */
export interface Fate {
  readonly decisions: readonly DecisionRow[];
  /** Rows of branches that committed. */
  readonly committed: readonly OutcomeRow[];
  readonly tombstones: readonly OutcomeRow[];
}

const NO_FATE: Fate = { decisions: [], committed: [], tombstones: [] };

export class Facts {
  readonly initial: Initial | undefined;
  readonly attempts = new Map<string, Attempt>();
  /** Answers whose attempt was never begun. */
  readonly strayAnswers: Answer[] = [];
  readonly byLabel = new Map<string, Attempt[]>();
  readonly fates = new Map<string, Fate>();
  /** `participant key` to its rows at the end; one, if all is well. */
  readonly balances = new Map<string, (number | null)[]>();
  readonly heuristics = new Map<string, HeuristicRow>();
  readonly dbaActs = new Map<string, DbaAct>();
  readonly prepared: readonly PreparedRow[];
  readonly plants: readonly Plant[];
  readonly journals: readonly JournalRow[];
  readonly lives: readonly Life[];
  readonly faults: readonly FaultEvent[];
  readonly polls: readonly Poll[];
  readonly phases: readonly Phase[];
  /** By the reason an operator gave: the request and its answer. */
  readonly acts = new Map<string, { readonly act?: Act; readonly acted?: Acted }>();
  readonly audit: readonly AuditRow[];
  readonly auditHead: AuditHead | undefined;
  private readonly labels = new Map<string, string>();

  constructor(history: readonly Event[]) {
    const kinds = new Map<string, Event[]>();
    for (const event of [...history].sort(byTime)) push(kinds, event.type, event);
    const of = <T extends Event['type']>(type: T): Extract<Event, { type: T }>[] =>
      (kinds.get(type) ?? []) as Extract<Event, { type: T }>[];
    [this.initial] = of('initial');
    this.prepared = of('prepared');
    this.plants = of('plant');
    this.journals = of('journal');
    this.lives = of('life');
    this.faults = of('fault');
    this.polls = of('poll');
    this.phases = of('phase');
    this.audit = of('audit').sort((a, b) => a.sequence - b.sequence);
    [this.auditHead] = of('audit-head');
    for (const act of of('act')) this.acts.set(act.act, { act });
    for (const acted of of('acted')) {
      this.acts.set(acted.act, { ...this.acts.get(acted.act), acted });
    }
    for (const one of of('dba')) this.dbaActs.set(one.gid, one);
    for (const one of of('heuristic')) {
      this.heuristics.set(this.gid(one.transaction, one.branch), one);
    }
    for (const one of of('balance')) {
      push(this.balances, place(one.participant, one.key), one.value);
    }
    for (const { transaction, label } of this.journals) {
      if (label !== null) this.labels.set(transaction, label);
    }
    this.joinAttempts(of('invoke'), [...of('ok'), ...of('fail'), ...of('info')]);
    this.joinFates(of('decision'), of('outcome'));
    this.nameByWitness();
  }

  get cluster(): string {
    return this.initial?.cluster ?? 'unknown';
  }

  gid(transaction: string, branch: string): string {
    return `cc:${this.cluster}:${transaction}:${branch}`;
  }

  isOwn(gid: string): boolean {
    return gid.startsWith(`cc:${this.cluster}:`) && !this.plants.some((one) => one.gid === gid);
  }

  fate(transaction: string): Fate {
    return this.fates.get(transaction) ?? NO_FATE;
  }

  /** The decision on record, when there is exactly one; in one phase, what its participant has on record. */
  decision(transaction: string): DecisionRow | undefined {
    const place = placeOf(transaction);
    if (place !== undefined) return this.decidedThere(transaction, place);
    const { decisions } = this.fate(transaction);
    return decisions.length === 1 ? decisions[0] : undefined;
  }

  /** What a transaction's attempts asked for, by the label that it carries: all ask for the same. */
  deltasOf(transaction: string): readonly Delta[] | undefined {
    const label = this.labelOf(transaction);
    return label === undefined ? undefined : this.byLabel.get(label)?.[0]?.invoke.deltas;
  }

  /** From the decision; an abort that others recorded has none there, but perhaps an answer named it. */
  labelOf(transaction: string): string | undefined {
    const { decisions } = this.fate(transaction);
    const inRow = decisions.find(({ label }) => label !== null)?.label;
    return inRow ?? this.labels.get(transaction);
  }

  phaseAt(name: PhaseName): number | undefined {
    return this.phases.filter(({ phase }) => phase === name).at(-1)?.t;
  }

  /** Whether a branch differs from the decision because of a known act, and that was reported. */
  isExplained(gid: string, act: DbaAct['act']): boolean {
    return this.dbaActs.get(gid)?.act === act && this.heuristics.has(gid);
  }

  /** The row of the branch is the decision to commit, a tombstone the one to abort; the register has a copy at most. */
  private decidedThere(transaction: string, place: string): DecisionRow | undefined {
    const { committed, tombstones } = this.fate(transaction);
    const row = [...committed, ...tombstones].find((one) => one.participant === place);
    if (!row) return undefined;
    const { t, wall, branch, participant, kind, createdAtUs } = row;
    return {
      ...{ type: 'decision', t, wall, transaction },
      ...{ label: this.labelOf(transaction) ?? null, key: null },
      decision: kind === 'branch' ? 'commit' : 'abort',
      branches: kind === 'branch' ? [{ branch, participant }] : [],
      // Not before: the row says when its transaction began, or when it was confirmed.
      ...{ decidedAtUs: createdAtUs, endedAtUs: createdAtUs, outcome: null },
    };
  }

  /**
   * No note says whose a commit in one phase is whose owner and client died. Its witness says that an attempt has
   * committed; which of several such commits it was makes no difference to any sum.
   */
  private nameByWitness(): void {
    const commits = [...this.fates].flatMap(([id, { committed }]) => (committed[0] ? [id] : []));
    // Also what was committed in two phases, under a key, has its witness.
    const named = new Set(commits.map((id) => this.labelOf(id)));
    const nameless = commits.filter((id) => placeOf(id) && this.labelOf(id) === undefined);
    const witnessed = [...this.byLabel].flatMap(([label, [attempt]]) => {
      const own = attempt?.invoke.deltas.find(({ key }) => key === witnessOf(label));
      const isThere = own !== undefined && this.balances.has(place(own.participant, own.key));
      return isThere && !named.has(label) ? [label] : [];
    });
    nameless.sort().forEach((id, at) => {
      const label = witnessed.sort()[at];
      if (label !== undefined) this.labels.set(id, label);
    });
  }

  private joinAttempts(invokes: readonly Invoke[], answers: readonly Answer[]): void {
    const heard = new Map<string, Answer[]>();
    for (const answer of answers) push(heard, answer.attempt, answer);
    for (const invoke of invokes) {
      const attempt = { invoke, answers: heard.get(invoke.attempt) ?? [] };
      this.attempts.set(invoke.attempt, attempt);
      const { label } = invoke;
      if (label === undefined) continue;
      push(this.byLabel, label, attempt);
      for (const { transaction } of attempt.answers) {
        if (transaction !== undefined) this.labels.set(transaction, label);
      }
    }
    for (const [name, stray] of heard)
      if (!this.attempts.has(name)) this.strayAnswers.push(...stray);
  }

  private joinFates(decisions: readonly DecisionRow[], outcomes: readonly OutcomeRow[]): void {
    const rows = new Map<string, (DecisionRow | OutcomeRow)[]>();
    for (const one of decisions) push(rows, one.transaction, one);
    for (const one of outcomes) push(rows, one.transaction, one);
    for (const [transaction, all] of rows) {
      const found = all.filter((one): one is OutcomeRow => one.type === 'outcome');
      this.fates.set(transaction, {
        decisions: all.filter((one): one is DecisionRow => one.type === 'decision'),
        committed: found.filter(({ kind }) => kind === 'branch').sort(byBranch),
        tombstones: found.filter(({ kind }) => kind === 'tombstone').sort(byBranch),
      });
    }
  }
}

/** A key of a participant, as one word. */
export function place(participant: string, key: string): string {
  return `${participant} ${key}`;
}

export function push<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const there = map.get(key);
  if (there) there.push(value);
  else map.set(key, [value]);
}

/** By time, and at one time in any order that is always the same. */
function byTime(a: Event, b: Event): number {
  return a.t - b.t || (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);
}

function byBranch(a: OutcomeRow, b: OutcomeRow): number {
  return Number(a.branch) - Number(b.branch) || (a.participant < b.participant ? -1 : 1);
}
