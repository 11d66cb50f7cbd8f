/**
 * The JSON text of a request's body. Guards "what a caller passes is what a participant gets":
 * JSON.stringify writes NaN and Infinity as null, leaves functions out and throws a bare TypeError for a
 * bigint; here each of them is refused by its path before anything is sent.
 */
import { InputNotSendable } from './errors.js';

/** A value that is being written, and its name or index in the one before. */
interface Open {
  readonly value: object;
  readonly name: string | number;
}

/** The text of a body. Throws {@link InputNotSendable} for what JSON cannot say, with where it is. */
export function requestText(body: unknown): string {
  const open: Open[] = [];
  return JSON.stringify(body, function (this: object, key: string, value: unknown) {
    // Depth first: what is open leads from the body to the value that holds this one.
    while (open.length > 0 && open.at(-1)?.value !== this) open.pop();
    const name = Array.isArray(this) ? Number(key) : key;
    const before = (this as Record<string, unknown>)[key];
    const why = isOpen(open, value) ? 'holds itself' : faultOf(value, before, this);
    if (why !== undefined) throw new InputNotSendable(pathOf([...open.slice(1), { name }]), why);
    if (value !== null && typeof value === 'object') open.push({ value, name });
    return value;
  });
}

function isOpen(open: readonly Open[], value: unknown): boolean {
  return open.some((one) => one.value === value);
}

/** What is wrong with a value; `before` is what it was before its own toJSON. */
function faultOf(value: unknown, before: unknown, holder: object): string | undefined {
  if (typeof value === 'number' && !Number.isFinite(value)) {
    return `is ${value}, which JSON has no number for`;
  }
  if (typeof value === 'bigint') {
    return 'is a bigint, which JSON has no exact number for: send it as text, with String(…)';
  }
  if (typeof value === 'function' || typeof value === 'symbol') {
    return `is a ${typeof value}, which would not arrive`;
  }
  if (value === undefined && Array.isArray(holder))
    return 'is undefined, which would arrive as null';
  if (value === null && before instanceof Date) return 'is no date, and would arrive as null';
  if (value instanceof Map) return 'is a Map, which would arrive empty: send an object';
  if (value instanceof Set) return 'is a Set, which would arrive empty: send an array';
  return undefined;
}

/** `branches[0].operations[0].input.amount` */
function pathOf(open: readonly Pick<Open, 'name'>[]): string {
  let path = '';
  for (const { name } of open) {
    if (typeof name === 'number') path += `[${name}]`;
    else path += path === '' ? name : `.${name}`;
  }
  return path === '' ? 'body' : path;
}
