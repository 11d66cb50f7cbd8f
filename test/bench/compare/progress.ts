/** How long a run takes yet: from what its turns and starts have taken so far, and first from what they should. */
import { arenasOf } from './arenas.js';
import type { Case, Plan } from './plan.js';

/** What surrounds a turn: looks before and after it. */
const AROUND_TURN_MS = 200;
const START_MS = 3_000;
const START_OF_PARTICIPANT_MS = 1_500;
/** Counting one transaction at a time: its servers, and waits of eleven seconds for their statistics. */
const COUNTING_MS = 130_000;

export class Progress {
  private readonly from = performance.now();
  private expectedMs = 0;
  private leftMs = 0;

  constructor(
    stages: readonly (readonly Case[])[],
    private readonly plan: Plan,
    counts: boolean,
  ) {
    this.leftMs = stages.reduce((all, cases) => all + this.stageMs(cases), 0);
    if (counts) this.leftMs += COUNTING_MS;
  }

  /** A stage has started and is warm. */
  started(cases: readonly Case[]): void {
    this.took(this.startMs(cases));
  }

  played(): void {
    this.took(this.turnMs);
  }

  left(): string {
    const elapsedMs = performance.now() - this.from;
    const pace = this.expectedMs === 0 ? 1 : elapsedMs / this.expectedMs;
    const minutes = Math.ceil((this.leftMs * pace) / 60_000);
    return `about ${minutes} ${minutes === 1 ? 'minute' : 'minutes'} left`;
  }

  private took(expectedMs: number): void {
    this.expectedMs += expectedMs;
    this.leftMs -= expectedMs;
  }

  private get turnMs(): number {
    return this.plan.leadMs + this.plan.durationMs + AROUND_TURN_MS;
  }

  private stageMs(cases: readonly Case[]): number {
    const turns = cases.reduce((all, one) => all + one.ways.length * this.plan.rounds, 0);
    return this.startMs(cases) + turns * this.turnMs;
  }

  private startMs(cases: readonly Case[]): number {
    const participants = Math.max(...cases.map((one) => one.participants));
    const each = START_MS + participants * START_OF_PARTICIPANT_MS;
    const ways = new Set(cases.flatMap((one) => one.ways)).size;
    return arenasOf(cases).size * each + ways * this.plan.warmMs;
  }
}
