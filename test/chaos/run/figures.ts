/**
 * What a run did, in numbers: so that a run in which nothing happened cannot pass for a good one, and
 * for the line that it prints at its end.
 */
import { placeOf, type Event } from '../checker/history.js';

export interface Figures {
  readonly attempts: number;
  readonly answers: Readonly<Record<string, number>>;
  /** Commits in the register. */
  readonly commits: number;
  /** Commits of one branch in one phase, which are in no register. */
  readonly alone: number;
  readonly tombstones: number;
  /** What an operator asked for, by the answer. */
  readonly acts: Readonly<Record<string, number>>;
  /** Faults that were carried out, by kind. */
  readonly faults: Readonly<Record<string, number>>;
  readonly skipped: number;
  readonly seconds: number;
  /** From the moment all was healed until nothing was in doubt; undefined: it never was so. */
  readonly restMs: number | undefined;
}

export function figuresOf(history: readonly Event[]): Figures {
  const answers: Record<string, number> = {};
  const faults: Record<string, number> = {};
  const acts: Record<string, number> = {};
  let attempts = 0;
  let commits = 0;
  let alone = 0;
  let tombstones = 0;
  let skipped = 0;
  for (const event of history) {
    if (event.type === 'invoke') attempts += 1;
    if (event.type === 'ok' || event.type === 'fail' || event.type === 'info') {
      answers[event.type] = (answers[event.type] ?? 0) + 1;
    }
    if (event.type === 'acted') acts[event.told] = (acts[event.told] ?? 0) + 1;
    if (event.type === 'decision' && event.decision === 'commit') commits += 1;
    if (event.type === 'outcome' && event.kind === 'tombstone') tombstones += 1;
    else if (event.type === 'outcome' && placeOf(event.transaction) !== undefined) alone += 1;
    if (event.type !== 'fault') continue;
    if (event.phase === 'inject') faults[event.fault] = (faults[event.fault] ?? 0) + 1;
    if (event.phase === 'skipped') skipped += 1;
  }
  const at = (name: string): number | undefined =>
    history.find((event) => event.type === 'phase' && event.phase === name)?.t;
  const [healed, rest] = [at('healed'), at('rest')];
  return {
    attempts,
    answers,
    commits,
    alone,
    tombstones,
    acts,
    faults,
    skipped,
    seconds: Math.round((history.at(-1)?.t ?? 0) / 1_000),
    restMs: healed === undefined || rest === undefined ? undefined : Math.round(rest - healed),
  };
}

/** As people read them. */
export function linesOf(figures: Figures): string[] {
  const { attempts, answers, commits, alone, tombstones, acts } = figures;
  const { faults, skipped, seconds, restMs } = figures;
  const list = (counts: Readonly<Record<string, number>>): string =>
    Object.entries(counts)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, count]) => `${count} ${name}`)
      .join(', ');
  return [
    `faults drawn: ${list(faults)}; ${skipped} skipped`,
    `${attempts} attempts (${list(answers)}), ${commits} commits, ${alone} in one phase, ${tombstones} tombstones`,
    `an operator's acts: ${list(acts)}`,
    `${seconds} s in all; at rest ${restMs === undefined ? 'never' : `${restMs} ms after healing`}`,
  ];
}

/** Faults and phases of a history, one line each: what happened when. */
export function timelineOf(history: readonly Event[]): string[] {
  return [...history]
    .sort((a, b) => a.t - b.t)
    .flatMap((event) => {
      const seconds = (event.t / 1_000).toFixed(3).padStart(9);
      if (event.type === 'phase') return [`${seconds} --- ${event.phase}`];
      if (event.type === 'life') {
        return [`${seconds} ${event.service} ${event.event} ${event.incarnation ?? ''}`];
      }
      if (event.type !== 'fault') return [];
      const { id, fault, target, phase, detail = '' } = event;
      return [`${seconds} #${id} ${fault} ${target} ${phase} ${detail}`];
    });
}
