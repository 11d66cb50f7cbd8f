/**
 * Numbers of a JSON text that would not survive: JavaScript reads every number as a double, so
 * `9007199254740993` becomes …992 and `1e400` becomes Infinity, and that is what a participant would be
 * sent. Guards "what a client sent is what a participant gets": such a number is found in the raw text
 * and refused with its path. A number is kept when the shortest text of its double is the same decimal
 * value, so 0.1, 0.10 and 1e21 pass; every number that JavaScript writes passes.
 */
import { walk, type Path } from './json-text.js';

/** A number that a double does not hold, and where it is. */
export interface InexactNumber {
  readonly path: Path;
  /** What would have arrived instead: a number, or `Infinity`. */
  readonly arrivesAs: string;
}

/**
 * Every double holds any decimal of 15 significant digits with an exponent of two digits. What could be
 * more, also inside a string, is worth a closer look; anything else is not. Linear in the text.
 */
const SUSPICIOUS = /[\d.]{16}|\d[eE][+-]?\d{3}/;

const PARTS = /^-?(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/;

/** The shortest text of a double has no more. */
const DIGITS_MAX = 17;

/**
 * The numbers of a JSON text that would arrive changed, at most `max` of them. `text` must be JSON: give
 * it to JSON.parse first. Reads the text once, and only when something in it is suspicious.
 */
export function inexactNumbers(text: string, max = 50): InexactNumber[] {
  return SUSPICIOUS.test(text) ? scan(text, max) : [];
}

/** Whether a JSON number is kept by a double. */
export function isExact(token: string): boolean {
  const value = Number(token);
  if (!Number.isFinite(value)) return false;
  if (!SUSPICIOUS.test(token)) return true;
  const [written, kept] = [decimalOf(token), decimalOf(String(value))];
  return written.digits === kept.digits && written.exponent === kept.exponent;
}

function scan(text: string, max: number): InexactNumber[] {
  const found: InexactNumber[] = [];
  walk(text, {
    number: (written, path) => {
      if (!isExact(written)) found.push({ path: path(), arrivesAs: String(Number(written)) });
      return found.length >= max;
    },
  });
  return found;
}

/** A number as significant digits and a power of ten: two texts of one value give the same. */
function decimalOf(token: string): { readonly digits: string; readonly exponent: number } {
  const [, whole = '', fraction = '', power = '0'] = PARTS.exec(token) as RegExpExecArray;
  const all = whole + fraction;
  let [from, to] = [0, all.length];
  while (from < to && all[from] === '0') from += 1;
  while (to > from && all[to - 1] === '0') to -= 1;
  if (from === to) return { digits: '', exponent: 0 };
  // More digits than any double's text has cannot be equal: their number is all that is needed.
  const digits = to - from > DIGITS_MAX ? `${to - from} digits` : all.slice(from, to);
  return { digits, exponent: Number(power) - fraction.length + (all.length - to) };
}
