/**
 * From instants to places on a line: two eras, before and after the decision, each with a scale of its
 * own, and long silences cut short. Guards "honest picture": order is never changed, what is cut is
 * hatched and named, and two instants are never drawn as one.
 */
export interface Piece {
  readonly fromMs: number;
  readonly toMs: number;
  readonly x0: number;
  readonly x1: number;
  /** Cut short: its length on the line does not show its duration. */
  readonly isGap: boolean;
}

export interface Era {
  readonly name: string;
  readonly x0: number;
  readonly x1: number;
  readonly ms: number;
}

export interface TimeScale {
  readonly pieces: readonly Piece[];
  readonly eras: readonly Era[];
  x(ms: number): number;
}

export interface ScaleInput {
  readonly instants: readonly number[];
  readonly startMs: number;
  readonly endMs: number;
  readonly decidedMs?: number;
  readonly width: number;
}

const GAP_MS = 2_000;
/** A silence is cut when it is this many times as long as everything else of its era together. */
const GAP_TIMES = 1.5;
const GAPS_MAX = 6;
const GAP_PX = 54;
const STEP_PX = 9;
const FIRST_ERA_SHARE = 0.42;

export function timeScale(input: ScaleInput): TimeScale {
  const { startMs, width, decidedMs } = input;
  const endMs = Math.max(input.endMs, startMs + 1);
  const has = decidedMs !== undefined && decidedMs > startMs && decidedMs < endMs;
  const cuts = has ? [startMs, decidedMs, endMs] : [startMs, endMs];
  const edges = has ? [0, width * FIRST_ERA_SHARE, width] : [0, width];
  const names = has ? ['voting', 'finishing'] : [decidedMs === undefined ? 'undecided' : 'voting'];
  const pieces: Piece[] = [];
  const eras: Era[] = [];
  names.forEach((name, index) => {
    const [fromMs, toMs] = [cuts[index] ?? startMs, cuts[index + 1] ?? endMs];
    const [x0, x1] = [edges[index] ?? 0, edges[index + 1] ?? width];
    eras.push({ name, x0, x1, ms: toMs - fromMs });
    pieces.push(...piecesOf(input.instants, fromMs, toMs, x0, x1));
  });
  return { pieces, eras, x: (ms) => place(pieces, ms) };
}

function piecesOf(
  instants: readonly number[],
  fromMs: number,
  toMs: number,
  x0: number,
  x1: number,
): Piece[] {
  const inside = instants.filter((ms) => ms > fromMs && ms < toMs);
  const stops = [...new Set([fromMs, ...inside, toMs])].sort((a, b) => a - b);
  const lengths = stops.slice(1).map((stop, index) => stop - (stops[index] ?? stop));
  const gaps = gapsOf(lengths);
  const isAllGap = gaps.size === lengths.length;
  const width = x1 - x0;
  const gapPx = isAllGap ? width / gaps.size : Math.min(GAP_PX, (width * 0.5) / (gaps.size || 1));
  const steps = lengths.length - gaps.size;
  const room = width - gapPx * gaps.size;
  const stepPx = steps === 0 ? 0 : Math.min(STEP_PX, (room * 0.6) / steps);
  const linearMs = lengths.reduce((sum, ms, index) => (gaps.has(index) ? sum : sum + ms), 0);
  let x = x0;
  return lengths.map((ms, index) => {
    const isGap = gaps.has(index);
    const share = linearMs === 0 ? 0 : ms / linearMs;
    const from = x;
    x += isGap ? gapPx : stepPx + share * (room - stepPx * steps);
    const start = stops[index] ?? fromMs;
    return { fromMs: start, toMs: start + ms, x0: from, x1: x, isGap };
  });
}

/** Which intervals are silences to be cut: the longest ones, while one outweighs all the others. */
function gapsOf(lengths: readonly number[]): Set<number> {
  const gaps = new Set<number>();
  let rest = lengths.reduce((sum, ms) => sum + ms, 0);
  const longest = lengths.map((ms, index) => ({ ms, index })).sort((a, b) => b.ms - a.ms);
  for (const { ms, index } of longest.slice(0, GAPS_MAX)) {
    rest -= ms;
    if (ms < GAP_MS || ms < GAP_TIMES * rest) break;
    gaps.add(index);
  }
  return gaps;
}

function place(pieces: readonly Piece[], ms: number): number {
  const first = pieces[0];
  const last = pieces.at(-1);
  if (!first || !last) return 0;
  if (ms <= first.fromMs) return first.x0;
  const piece = pieces.find((one) => ms <= one.toMs);
  if (!piece) return last.x1;
  const share = (ms - piece.fromMs) / (piece.toMs - piece.fromMs);
  return piece.x0 + share * (piece.x1 - piece.x0);
}
