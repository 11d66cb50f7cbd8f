/**
 * What an answer may hold: values that JSON carries unchanged. Guards "outputs arrive as they were
 * returned, or not at all": JSON would make null of NaN, `{}` of a Map, and would leave a promise that
 * was not awaited behind silently. What is undefined or a function is left out, as JSON does
 * everywhere: it is part of an object's making, not of its data, and a result of a driver is full of it.
 */
import { JSON_DEPTH_MAX } from './limits.js';

export interface SendFault {
  /** Where: `outputs.0.balance`. Empty for the value itself. */
  readonly path: string;
  /** What is wrong there, as the rest of a sentence. */
  readonly what: string;
}

/** Strict, not even a function is left out: what is sent is all that there was. */
type Strictness = 'answer' | 'strict';

/**
 * The first thing in a value that cannot be sent as it is, or undefined. Never throws; a value that
 * contains itself ends the search like one that is too deep. Recursion is bounded by the depth.
 */
export function sendFault(
  value: unknown,
  strictness: Strictness = 'answer',
): SendFault | undefined {
  try {
    return faultOf(value, '', [], strictness);
  } catch {
    return { path: '', what: 'cannot be read' }; // A proxy of the service's own.
  }
}

/** `above` holds the objects around the value, outermost first. Paths are built only for a fault. */
function faultOf(
  given: unknown,
  key: string,
  above: object[],
  strictness: Strictness,
): SendFault | undefined {
  switch (typeof given) {
    case 'bigint':
      return { path: '', what: 'is a bigint: send it as a string' };
    case 'number':
      if (Number.isFinite(given)) return undefined;
      return { path: '', what: `is ${given}, which JSON cannot hold` };
    case 'symbol':
    case 'function':
      return strictness === 'strict' ? { path: '', what: `is a ${typeof given}` } : undefined;
    case 'object':
      return given === null ? undefined : faultOfObject(given, key, above, strictness);
    case 'string':
    case 'boolean':
    case 'undefined':
      return undefined;
  }
}

function faultOfObject(
  given: object,
  key: string,
  above: object[],
  strictness: Strictness,
): SendFault | undefined {
  let toJSON: unknown;
  try {
    ({ toJSON } = given as { toJSON?: unknown });
    if (typeof toJSON === 'function') {
      if (given instanceof Date && Number.isNaN(given.getTime())) {
        return { path: '', what: 'is an invalid Date' };
      }
      const instead: unknown = (toJSON as (key: string) => unknown).call(given, key);
      if (typeof instead !== 'object' || instead === null) {
        return faultOf(instead, key, above, strictness);
      }
      return faultInside(instead, above, strictness);
    }
  } catch {
    return { path: '', what: 'has a toJSON or a property that throws' };
  }
  return faultInside(given, above, strictness);
}

function faultInside(
  value: object,
  above: object[],
  strictness: Strictness,
): SendFault | undefined {
  const isArray = Array.isArray(value);
  const unfit = isArray || isPlain(value) ? undefined : unfitnessOf(value);
  if (unfit !== undefined) return { path: '', what: unfit };
  if (above.includes(value)) return { path: '', what: 'contains itself' };
  if (above.length >= JSON_DEPTH_MAX) {
    return { path: '', what: `nests deeper than ${JSON_DEPTH_MAX} levels` };
  }
  above.push(value);
  for (const key of Object.keys(value)) {
    if (!isArray && key === '__proto__') return { path: '', what: 'has a key named __proto__' };
    let child: unknown;
    try {
      child = (value as Record<string, unknown>)[key];
    } catch {
      return { path: key, what: 'throws when it is read' };
    }
    const fault = faultOf(child, key, above, strictness);
    if (fault) return { path: fault.path ? `${key}.${fault.path}` : key, what: fault.what };
  }
  above.pop();
  return undefined;
}

/** Most objects are: nothing else needs to be asked of them. */
function isPlain(value: object): boolean {
  return Object.getPrototypeOf(value) === Object.prototype;
}

function unfitnessOf(value: object): string | undefined {
  return UNFIT.find(([type]) => value instanceof type)?.[1];
}

const UNFIT: readonly (readonly [new (...given: never[]) => object, string])[] = [
  [Map, 'is a Map, which JSON cannot hold: send an object'],
  [Set, 'is a Set, which JSON cannot hold: send an array'],
  [Promise, 'is a promise: await it'],
];
