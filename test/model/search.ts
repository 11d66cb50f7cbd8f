/**
 * The searcher: breadth first over every state a specification can reach, so that the first
 * violation found is a shortest one. It knows nothing of any protocol, and is calibrated against
 * published state counts (two-phase.spec.ts) before it is believed about ours.
 */
import { Numbers } from './numbers.js';
import { StateStore } from './state-store.js';

/**
 * Why a transition happens. `progress`: the protocol at work · `timeout`: a timer of ours ran out on
 * something that will not come · `haste`: it ran out too early · `choice`: somebody outside may do it,
 * and need not · `fault`: the surroundings do it to us.
 */
export type Kind = 'progress' | 'timeout' | 'haste' | 'choice' | 'fault';

/**
 * Takes note of one successor; the words are copied, so they may be used again. `about` is whom the
 * label means, where it leaves that open.
 */
export type Emit = (next: Int32Array, kind: Kind, label: string, about?: number) => void;

export interface Specification {
  /** Words per state. */
  readonly width: number;
  initial(): Int32Array;
  successors(state: Int32Array, emit: Emit): void;
  /** The representative of all states that differ in names only; the state itself by default. */
  canonical?(state: Int32Array): Int32Array;
}

export interface Invariant {
  readonly name: string;
  /** What it demands, as a sentence. */
  readonly says: string;
  /** What is wrong with a state, or undefined. */
  violatedBy(state: Int32Array): string | undefined;
}

export interface SearchOptions {
  readonly invariants?: readonly Invariant[];
  /** Transitions to take; all by default. */
  readonly follow?: (kind: Kind) => boolean;
  /** Transitions to remember, for questions about what remains reachable. */
  readonly remember?: (kind: Kind) => boolean;
  readonly statesMax?: number;
  readonly onProgress?: (progress: Progress) => void;
}

export interface Progress {
  readonly distinct: number;
  readonly explored: number;
  readonly depth: number;
}

export interface Violation {
  readonly invariant: Invariant;
  readonly complaint: string;
  readonly state: number;
}

export interface Found {
  readonly store: StateStore;
  /** The state from which each state was first reached; itself for the first. */
  readonly parents: Numbers;
  readonly distinct: number;
  /** Every successor computed, known or new, and the initial state: what TLC counts. */
  readonly generated: number;
  /** Levels of the search, the initial state's included: what TLC calls depth. */
  readonly depth: number;
  readonly violation?: Violation;
  /** False when `statesMax` ended the search. */
  readonly complete: boolean;
  /** States without a successor other than themselves. */
  readonly terminal: readonly number[];
  readonly edges: { readonly from: Numbers; readonly to: Numbers };
}

const PROGRESS_EVERY = 20_000;

export function search(specification: Specification, options: SearchOptions = {}): Found {
  const run = new Search(specification, options);
  return run.run();
}

class Search {
  private readonly store: StateStore;
  private readonly parents = new Numbers();
  private readonly edges = { from: new Numbers(), to: new Numbers() };
  private readonly terminal: number[] = [];
  private readonly canonical: (state: Int32Array) => Int32Array;
  private generated = 0;
  private depth = 1;
  private violation?: Violation;
  private current = -1;
  private moved = false;

  constructor(
    private readonly specification: Specification,
    private readonly options: SearchOptions,
  ) {
    this.store = new StateStore(specification.width);
    this.canonical = specification.canonical?.bind(specification) ?? ((state) => state);
  }

  run(): Found {
    const { statesMax = Infinity, onProgress } = this.options;
    this.reach(this.specification.initial(), 'progress');
    let levelEnd = this.store.size;
    let next = 0;
    while (next < this.store.size && !this.violation && this.store.size < statesMax) {
      if (next === levelEnd) {
        this.depth += 1;
        levelEnd = this.store.size;
      }
      this.current = next;
      this.moved = false;
      this.specification.successors(this.store.at(next), this.emit);
      if (!this.moved) this.terminal.push(next);
      next += 1;
      if (onProgress && next % PROGRESS_EVERY === 0) {
        onProgress({ distinct: this.store.size, explored: next, depth: this.depth });
      }
    }
    const { store, parents, generated, depth, violation, terminal, edges } = this;
    return {
      store,
      parents,
      distinct: store.size,
      generated,
      depth,
      ...(violation ? { violation } : {}),
      complete: next === store.size && !violation,
      terminal,
      edges,
    };
  }

  private readonly emit: Emit = (state, kind) => {
    if (this.options.follow && !this.options.follow(kind)) return;
    this.reach(state, kind);
  };

  private reach(state: Int32Array, kind: Kind): void {
    this.generated += 1;
    const known = this.store.size;
    const index = this.store.add(this.canonical(state));
    if (index !== this.current) {
      this.moved = true;
      if (this.options.remember?.(kind) && this.current >= 0) {
        this.edges.from.push(this.current);
        this.edges.to.push(index);
      }
    }
    if (index < known) return;
    this.parents.push(this.current < 0 ? 0 : this.current);
    if (!this.violation) this.judge(index);
  }

  private judge(index: number): void {
    const state = this.store.at(index);
    for (const invariant of this.options.invariants ?? []) {
      const complaint = invariant.violatedBy(state);
      if (complaint === undefined) continue;
      this.violation = { invariant, complaint, state: index };
      return;
    }
  }
}
