/**
 * Durations as people write and read them, one grammar for both: `500ms`, `1.5s`, `12 min 4 s`, `2d`. What is
 * printed can be read back. Guards "every bound is explicit": anything else is refused with the forms that
 * are understood.
 */
const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** From the largest down, as they are printed. */
const UNITS = [
  [DAY, 'd'],
  [HOUR, 'h'],
  [MINUTE, 'min'],
  [SECOND, 's'],
  [1, 'ms'],
] as const;

const MS_PER: Readonly<Record<string, number>> = {
  ...Object.fromEntries(UNITS.map(([ms, unit]) => [unit, ms])),
  m: MINUTE,
};

const ALONE = /^\d{1,12}(?:\.\d{1,3})?$/;
const PART = /^(\d{1,12}(?:\.\d{1,3})?) ?(ms|s|min|m|h|d)(?: |(?=\d)|$)/;

export const DURATION_FORMS =
  'a duration such as 500ms, 20s, 5m, 2h or 1d; a number alone is seconds';

/**
 * Milliseconds of a written duration, rounded to whole ones. A number alone counts `alone`: seconds, unless the
 * name of the place says milliseconds (`…_MS`). Undefined when unreadable: no unit may come twice, or after
 * a smaller one.
 */
export function parseDurationMs(text: string, alone: 's' | 'ms' = 's'): number | undefined {
  let rest = text.trim();
  if (ALONE.test(rest)) rest += alone;
  if (rest === '') return undefined;
  let sumMs = 0;
  let above = Number.POSITIVE_INFINITY;
  while (rest !== '') {
    const [part, amount, unit = ''] = PART.exec(rest) ?? [];
    const size = MS_PER[unit];
    if (part === undefined || size === undefined || size >= above) return undefined;
    sumMs += Number(amount) * size;
    above = size;
    rest = rest.slice(part.length);
  }
  const ms = Math.round(sumMs);
  return Number.isSafeInteger(ms) ? ms : undefined;
}

/**
 * A length of time as people say it, in two units at most and cut, not rounded: `38 ms`, `4.2 s`, `42 s`,
 * `12 min 4 s`, `3 h 20 min`, `2 d`. A negative one is `0 ms`.
 */
export function durationText(ms: number): string {
  const length = Math.max(0, ms);
  if (length >= SECOND && length < 10 * SECOND) return `${Math.floor(length / 100) / 10} s`;
  return inUnits(length, 2);
}

/** The same in one unit, for a narrow place: `38 ms`, `42 s`, `12 min`, `3 h`, `2 d`. */
export function shortDurationText(ms: number): string {
  return inUnits(Math.max(0, ms), 1);
}

function inUnits(length: number, most: 1 | 2): string {
  const at = UNITS.findIndex(([size]) => length >= size);
  const [size, unit] = UNITS[at] ?? [1, 'ms'];
  const [below, belowUnit] = UNITS[at + 1] ?? [1, 'ms'];
  if (size === 1) return `${Math.round(length)} ms`;
  const first = `${Math.floor(length / size)} ${unit}`;
  const rest = most === 1 || size === SECOND ? 0 : Math.floor((length % size) / below);
  return rest === 0 ? first : `${first} ${rest} ${belowUnit}`;
}
