/**
 * Numbers of a JSON text that would not survive: JavaScript reads every number as a double, so
 * `9007199254740993` becomes …992 and `1e400` becomes Infinity, and that is what a participant would be
 * sent. Guards "what a client sent is what a participant gets": such a number is found in the raw text
 * and refused with its path. A number is kept when the shortest text of its double is the same decimal
 * value, so 0.1, 0.10 and 1e21 pass; every number that JavaScript writes passes.
 */

/** A number that a double does not hold, and where it is. */
export interface InexactNumber {
  /** Names and indexes from the outermost value: `['branches', 0, 'operations']`. */
  readonly path: readonly (string | number)[];
  /** What would have arrived instead: a number, or `Infinity`. */
  readonly arrivesAs: string;
}

/**
 * Every double holds any decimal of 15 significant digits with an exponent of two digits. What could be
 * more, also inside a string, is worth a closer look; anything else is not. Linear in the text.
 */
const SUSPICIOUS = /[\d.]{16}|\d[eE][+-]?\d{3}/;

const NUMBER = /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const PARTS = /^-?(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/;

/** The shortest text of a double has no more. */
const DIGITS_MAX = 17;

/** An open object or array, and which of its members is being read. */
interface Open {
  readonly isArray: boolean;
  index: number;
  /** Where the member's name is, with its quotes. */
  nameFrom: number;
  nameTo: number;
  isNameNext: boolean;
}

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
  const open: Open[] = [];
  for (let at = 0; at < text.length && found.length < max;) {
    const char = text[at] as string;
    const inside = open.at(-1);
    if (char === '"') {
      const end = endOfString(text, at);
      if (inside?.isNameNext) {
        inside.nameFrom = at;
        inside.nameTo = end;
        inside.isNameNext = false;
      }
      at = end;
    } else if (char === '-' || (char >= '0' && char <= '9')) {
      const token = numberAt(text, at);
      if (!isExact(token)) {
        found.push({ path: pathOf(text, open), arrivesAs: String(Number(token)) });
      }
      at += token.length;
    } else {
      nest(open, char);
      at += 1;
    }
  }
  return found;
}

/** Follows the brackets and commas; white space, colons and literals say nothing. */
function nest(open: Open[], char: string): void {
  if (char === '{' || char === '[') {
    const isArray = char === '[';
    open.push({ isArray, index: 0, nameFrom: 0, nameTo: 0, isNameNext: !isArray });
  } else if (char === '}' || char === ']') {
    open.pop();
  } else if (char === ',') {
    const inside = open.at(-1);
    if (inside?.isArray) inside.index += 1;
    else if (inside) inside.isNameNext = true;
  }
}

/** The position after a string that begins at `from`. */
export function endOfString(text: string, from: number): number {
  for (let at = from + 1; ;) {
    const quote = text.indexOf('"', at);
    let slashes = 0;
    while (text[quote - 1 - slashes] === '\\') slashes += 1;
    if (slashes % 2 === 0) return quote + 1;
    at = quote + 1;
  }
}

function numberAt(text: string, at: number): string {
  NUMBER.lastIndex = at;
  return (NUMBER.exec(text) as RegExpExecArray)[0];
}

function pathOf(text: string, open: readonly Open[]): (string | number)[] {
  return open.map(({ isArray, index, nameFrom, nameTo }) =>
    isArray ? index : (JSON.parse(text.slice(nameFrom, nameTo)) as string),
  );
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
