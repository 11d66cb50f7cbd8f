/**
 * When what a branch needs was away: its participant, every coordinator, Postgres or the broker; killed,
 * stopped, or on its way up. Guards I10 against blaming the product for the machine: a server that a
 * busy machine takes half a minute to start is a longer fault, not a slower recovery.
 */
import type { Facts } from './facts.js';

export interface Span {
  readonly from: number;
  readonly to: number;
}

const COORDINATORS = ['coordinator', 'coordinator-2'];
const SERVERS = ['postgres', 'nats'];

export class Away {
  private readonly spans = new Map<string, Span[]>();

  constructor(private readonly facts: Facts) {}

  /** Milliseconds of the span in which a branch of the database could be finished by somebody. */
  ableMs(database: string, { from, to }: Span): number {
    const participant = database.replaceAll('_', '-');
    const [first = [], second = []] = COORDINATORS.map((one) => this.of(one));
    const noCoordinator = first.flatMap((a) => second.map((b) => overlap(a, b)));
    const away = [...this.of(participant), ...SERVERS.flatMap((one) => this.of(one))];
    return to - from - covered([...away, ...noCoordinator], { from, to });
  }

  private of(target: string): Span[] {
    const known = this.spans.get(target) ?? [...this.down(target), ...this.faulty(target)];
    this.spans.set(target, known);
    return known;
  }

  /** From its end until it is up again. */
  private down(service: string): Span[] {
    const spans: Span[] = [];
    let from: number | undefined;
    for (const life of this.facts.lives.filter((one) => one.service === service)) {
      if (life.event === 'ended') from ??= life.t;
      if (life.event !== 'up' || from === undefined) continue;
      spans.push({ from, to: life.t });
      from = undefined;
    }
    return from === undefined ? spans : [...spans, { from, to: Number.POSITIVE_INFINITY }];
  }

  private faulty(target: string): Span[] {
    const mine = this.facts.faults.filter((one) => one.target === target);
    return mine
      .filter(({ phase }) => phase === 'inject')
      .map(({ id, t }) => {
        const end = mine.find((one) => one.id === id && one.phase === 'recovered');
        return { from: t, to: end?.t ?? Number.POSITIVE_INFINITY };
      });
  }
}

function overlap(a: Span, b: Span): Span {
  return { from: Math.max(a.from, b.from), to: Math.min(a.to, b.to) };
}

/** How much of `whole` the spans cover together. */
function covered(spans: readonly Span[], whole: Span): number {
  let sum = 0;
  let until = whole.from;
  const inside = spans.map((one) => overlap(one, whole)).filter(({ from, to }) => to > from);
  for (const { from, to } of inside.sort((a, b) => a.from - b.from)) {
    sum += Math.max(0, to - Math.max(from, until));
    until = Math.max(until, to);
  }
  return sum;
}
