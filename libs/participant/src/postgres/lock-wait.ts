/**
 * What a statement waited for, and which session held it, as far as the server reported. Guards "only what is
 * known is said" and "no data leaves the service": relations, row addresses, process ids, application names
 * and gids are passed on; the server's other words are not. Pure: no clock, no database.
 */

/** Who holds a lock: a session, or a prepared transaction, which has none. */
export type LockHolder =
  | { readonly pid: number; readonly application?: string; readonly gid?: string }
  | { readonly gid: string };

export interface LockWait {
  /** What is locked, as Postgres calls it: `tuple`, `transactionid`, `relation`, `advisory`, … */
  readonly kind?: string;
  readonly relation?: string;
  /** Where the row is: `(0,1)`. */
  readonly row?: string;
  readonly holder?: LockHolder;
}

/**
 * A line of the server's CONTEXT about a wait for a row: "while updating tuple (0,1) in relation
 * "account"". Only this form is read, for other lines quote statements and their literals. Servers that
 * speak another language say nothing that is read here.
 */
const WAITS_FOR_ROW =
  /^while [a-z ]*\((?<page>\d+),(?<tuple>\d+)\)[a-z ]* in relation "(?<relation>[^"\n]{1,63})"$/m;
/** A waiter for an index entry names the index: its row address is none of the table's. */
const OF_INDEX = /^while inserting index tuple/m;

/** What the CONTEXT of an error says of the wait that it ended. */
export function waitInContext(where: string | undefined): LockWait {
  const found = WAITS_FOR_ROW.exec(where ?? '')?.groups;
  if (!found?.['relation']) return {};
  const { relation, page, tuple } = found;
  const row = OF_INDEX.test(where ?? '') ? {} : { row: `(${page},${tuple})` };
  return { relation, ...row };
}

/** The wait as the end of a sentence; empty when nothing is known. */
export function describeWait({ kind, relation, row, holder }: LockWait): string {
  const what =
    row && relation
      ? `a row of ${relation}, at ${row}`
      : (relation ?? (kind === 'advisory' ? 'an advisory lock' : undefined));
  const by = holder && `it is held by ${describeHolder(holder)}`;
  const known = [what, by].filter((part) => part !== undefined);
  return known.length > 0 ? `: ${known.join('; ')}` : '';
}

/** The wait for programs, without what is not known. */
export function waitDetails({ relation, holder }: LockWait): Readonly<Record<string, unknown>> {
  return { ...(relation ? { relation } : {}), ...(holder ? { holder } : {}) };
}

function describeHolder(holder: LockHolder): string {
  if (!('pid' in holder)) return `${holder.gid}, which is prepared`;
  const { pid, application, gid } = holder;
  const name = application ? ` (${application})` : '';
  return `${gid ? `${gid}, at work in ` : ''}session ${pid}${name}`;
}
