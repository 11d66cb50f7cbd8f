/**
 * Reads a JSON text by its characters, for what JSON.parse does not tell: how a number was written, and which
 * names were written twice. Linear in the text.
 */

/** Names and indexes from the outermost value: `['branches', 0, 'operations']`. */
export type Path = readonly (string | number)[];

/** An open object or array, and which of its members is being read. */
interface Open {
  readonly isArray: boolean;
  index: number;
  /** Where the member's name is, with its quotes. */
  nameFrom: number;
  nameTo: number;
  isNameNext: boolean;
}

/** What is met, in the order of the text. Each says whether enough was met: then the rest is not read. */
export interface Visitor {
  /** The name of a member, as it is written, of this object and no other. */
  readonly name?: (written: string, object: object, path: () => Path) => boolean;
  /** A number, as it is written. */
  readonly number?: (written: string, path: () => Path) => boolean;
}

const NUMBER = /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y;

/** `text` must be JSON: give it to JSON.parse first. */
export function walk(text: string, visitor: Visitor): void {
  const open: Open[] = [];
  const path = (): Path => pathOf(text, open);
  for (let at = 0; at < text.length;) {
    const char = text[at] as string;
    const inside = open.at(-1);
    if (char === '"') {
      const end = endOfString(text, at);
      if (inside?.isNameNext) {
        inside.nameFrom = at;
        inside.nameTo = end;
        inside.isNameNext = false;
        if (visitor.name?.(text.slice(at, end), inside, path)) return;
      }
      at = end;
    } else if (char === '-' || (char >= '0' && char <= '9')) {
      const written = numberAt(text, at);
      if (visitor.number?.(written, path)) return;
      at += written.length;
    } else {
      nest(open, char);
      at += 1;
    }
  }
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
function endOfString(text: string, from: number): number {
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

function pathOf(text: string, open: readonly Open[]): Path {
  return open.map(({ isArray, index, nameFrom, nameTo }) =>
    isArray ? index : (JSON.parse(text.slice(nameFrom, nameTo)) as string),
  );
}
