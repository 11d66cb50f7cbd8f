/**
 * Numbers and instants in words. Guards "no mental arithmetic at three in the morning": they are said as
 * people say them, and identically everywhere.
 */
const SECOND = 1_000;
const MINUTE = 60 * SECOND;

/** What is left until something happens: `0:42`, `12:04`, `1:02:03`; `now` when it is due. */
export function countdown(ms: number): string {
  if (ms < SECOND) return 'now';
  const seconds = Math.floor(ms / SECOND);
  const two = (value: number): string => String(value).padStart(2, '0');
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  if (hours > 0) return `${hours}:${two(minutes)}:${two(seconds % 60)}`;
  return `${minutes}:${two(seconds % 60)}`;
}

export type ClockZone = 'utc' | 'local';

export interface InstantOptions {
  readonly zone: ClockZone;
  /** Left out when it is the same day as this. */
  readonly nowMs?: number;
  readonly withMs?: boolean;
}

/** `12:03:04`, with the date in front when it is not today's; UTC is said, local is not. */
export function instant(iso: string, { zone, nowMs, withMs = false }: InstantOptions): string {
  const at = new Date(iso);
  if (Number.isNaN(at.getTime())) return iso;
  const shown = fields(at, zone);
  const time = withMs
    ? `${shown.time}.${String(at.getUTCMilliseconds()).padStart(3, '0')}`
    : shown.time;
  const today = nowMs !== undefined && fields(new Date(nowMs), zone).date === shown.date;
  return `${today ? '' : `${shown.date} `}${time}${zone === 'utc' ? ' UTC' : ''}`;
}

function fields(at: Date, zone: ClockZone): { date: string; time: string } {
  const local = zone === 'utc' ? at : new Date(at.getTime() - at.getTimezoneOffset() * MINUTE);
  const iso = local.toISOString();
  return { date: iso.slice(0, 10), time: iso.slice(11, 19) };
}

/** `1,204`, with a thin separator that cannot be taken for a decimal point. */
export function count(value: number): string {
  return Math.round(value)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, '\u202f');
}

/** `0`, `0.4`, `12`: a rate with as many digits as mean something. */
export function rate(value: number): string {
  if (value === 0) return '0';
  return value < 10 ? value.toFixed(1) : count(value);
}

/** `1 branch`, `3 branches`. */
export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** What differs between neighbours is the end of an id before its owner, which many share: `…4f2a9c`. */
export function idTail(id: string): string {
  const own = id.slice(0, id.lastIndexOf('-'));
  return own.length <= 12 ? id : `…${own.slice(-6)}`;
}
