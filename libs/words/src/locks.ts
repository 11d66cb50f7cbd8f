/** What is locked, and who of no transaction holds it, in words. */

/** As Postgres calls it; the place of a row is `(page,tuple)`. */
export interface Locked {
  readonly kind: string;
  readonly relation?: string;
  readonly row?: string;
}

export interface Session {
  readonly pid?: number;
  readonly application?: string;
  readonly user?: string;
}

/** How a name of somebody else is written in a sentence. */
type Mark = (name: string) => string;

const asItIs: Mark = (name) => name;

/** `row (0,7) of account`. */
export function thingWords({ kind, relation, row }: Locked, mark: Mark = asItIs): string {
  if (kind === 'advisory') return 'an advisory lock';
  if (relation === undefined) return kind === 'transactionid' ? 'a row' : `a lock (${kind})`;
  if (kind === 'relation') return `table ${mark(relation)}`;
  return `${row === undefined ? 'a row' : `row ${row}`} of ${mark(relation)}`;
}

/** `session pid 12 of application psql, user alice`. */
export function sessionWords({ pid, application, user }: Session, mark: Mark = asItIs): string {
  const of = application === undefined ? '' : ` of application ${mark(application)}`;
  return `session pid ${pid ?? 'not known'}${of}${user === undefined ? '' : `, user ${mark(user)}`}`;
}
