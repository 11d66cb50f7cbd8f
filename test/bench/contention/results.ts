/** The outcomes of all rounds by name and number of clients, and their medians. */
import { median } from '../load.js';
import type { Outcome } from './crowd.js';

/** Medians over the rounds; the longest time and the aborts are those of all rounds together. */
export interface Row extends Outcome {
  readonly name: string;
  readonly clients: number;
  /** Of what it is compared with. */
  readonly share?: number;
}

export class Results<Name extends string> {
  private readonly all = new Map<string, { name: Name; clients: number; outcomes: Outcome[] }>();

  add(name: Name, clients: number, outcome: Outcome): void {
    const key = `${name} ${clients}`;
    const known = this.all.get(key) ?? { name, clients, outcomes: [] };
    known.outcomes.push(outcome);
    this.all.set(key, known);
  }

  /** Committed per second in the median, or undefined when it was not measured. */
  rate(name: Name, clients: number): number | undefined {
    const found = this.all.get(`${name} ${clients}`);
    return found && median(found.outcomes.map((one) => one.committedPerSecond));
  }

  rows(compared: (name: Name, clients: number) => number | undefined): Row[] {
    return [...this.all.values()].map(({ name, clients, outcomes }) => {
      const of = (pick: (one: Outcome) => number) => median(outcomes.map(pick));
      const committedPerSecond = of((one) => one.committedPerSecond);
      const other = compared(name, clients);
      return {
        name,
        clients,
        committedPerSecond,
        ...(other === undefined ? {} : { share: committedPerSecond / other }),
        committed: outcomes.reduce((sum, one) => sum + one.committed, 0),
        p50Ms: of((one) => one.p50Ms),
        p99Ms: of((one) => one.p99Ms),
        maxMs: Math.max(...outcomes.map((one) => one.maxMs)),
        attempts: of((one) => one.attempts),
        aborted: summed(outcomes.map((one) => one.aborted)),
      };
    });
  }
}

function summed(all: readonly Outcome['aborted'][]): Record<string, number> {
  const sum: Record<string, number> = {};
  for (const one of all) {
    for (const [code, count] of Object.entries(one)) sum[code] = (sum[code] ?? 0) + count;
  }
  return sum;
}
