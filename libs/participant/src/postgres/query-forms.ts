/**
 * The forms in which pg takes a statement: a promise, a callback, or a query object that the driver
 * drives itself (`Submittable`: cursors, streams). Guards "what the server has not answered is known":
 * a statement counts as under way in each form, or its wait for a lock would not be ended in time.
 */
import type { QueryArrayConfig, QueryConfig } from 'pg';

/** Called when a statement was answered, or with its error. */
export type Answered = (error?: unknown) => void;

type Callback = (...args: unknown[]) => unknown;

/** The parts of a submitted query that pg's client calls. */
interface Submitted {
  submit?: unknown;
  handleError?: Callback;
  handleReadyForQuery?: Callback;
}

/** The text of a statement in any form; empty where it has none. */
export function textOf(config: unknown): string {
  if (typeof config === 'string') return config;
  if (typeof config !== 'object' || config === null) return '';
  const { text } = config as QueryConfig | QueryArrayConfig;
  return typeof text === 'string' ? text : '';
}

/** Whether it is a statement with values that answers by a promise: every driver writes it alike. */
export function hasValues([config, values, callback]: readonly unknown[]): boolean {
  if (isSubmittable(config) || isCallback(values) || isCallback(callback)) return false;
  const own = (config ?? {}) as { values?: unknown; callback?: unknown; rows?: unknown };
  if (own.callback !== undefined || own.rows !== undefined) return false;
  const given = values ?? own.values;
  return Array.isArray(given) && given.length > 0;
}

/** Whether the driver is given a query object of its own making. */
export function isSubmittable(config: unknown): boolean {
  return (
    typeof config === 'object' &&
    config !== null &&
    typeof (config as Submitted).submit === 'function'
  );
}

/**
 * The arguments of a query, so that `departs()` gets its answer. A query that returns a promise is left as it
 * is: the promise reports it.
 */
export function countedQuery(args: readonly unknown[], departs: () => Answered): unknown[] {
  const [config] = args;
  if (isSubmittable(config)) {
    follow(config as Submitted, departs());
    return [...args];
  }
  const own = (config as { callback?: unknown } | null | undefined)?.callback;
  if (typeof own === 'function' && !args.some(isCallback)) {
    const callback = hearing(own as Callback, departs());
    return [{ ...(config as object), callback }, ...args.slice(1)];
  }
  let answered: Answered | undefined;
  return args.map((one) => {
    if (!isCallback(one)) return one;
    return hearing(one, (answered ??= departs()));
  });
}

function isCallback(argument: unknown): argument is Callback {
  return typeof argument === 'function';
}

function hearing(callback: Callback, answered: Answered): Callback {
  return function (this: unknown, ...args) {
    answered(args[0]);
    return callback.apply(this, args);
  };
}

/** A cursor is under way until it is closed: nothing else is answered on its connection before. */
function follow(query: Submitted, answered: Answered): void {
  const { handleError, handleReadyForQuery } = query;
  query.handleError = function (this: unknown, ...args) {
    answered(args[0]);
    return handleError?.apply(this, args);
  };
  query.handleReadyForQuery = function (this: unknown, ...args) {
    answered();
    return handleReadyForQuery?.apply(this, args);
  };
}
