/**
 * What an ORM says when it begins and ends transactions, read from its statement. Guards "begin, commit
 * and rollback inside a branch are savepoints": a text of one such statement is recognised, and every
 * other text goes to the branch as it is, whose gate refuses what would end it.
 */

/** A statement that begins, shapes or ends a transaction. */
export type TransactionText =
  | { readonly kind: 'begin'; readonly isolation?: string; readonly readOnly: boolean }
  /** `SET TRANSACTION`. */
  | { readonly kind: 'set'; readonly isolation?: string; readonly readOnly: boolean }
  | { readonly kind: 'commit' }
  | { readonly kind: 'rollback' }
  /** `ROLLBACK TO SAVEPOINT`, as ORMs undo what they have nested themselves. */
  | { readonly kind: 'rollback-to' };

const WORK = '(?:\\s+(?:work|transaction))?';
const BEGIN = new RegExp(`^(?:begin${WORK}|start\\s+transaction)\\b\\s*(.*)$`, 'is');
const SET = /^set\s+transaction\s+(.*)$/is;
const COMMIT = new RegExp(`^(?:commit|end)${WORK}$`, 'i');
const ROLLBACK = new RegExp(`^(?:rollback|abort)${WORK}$`, 'i');
const ROLLBACK_TO = new RegExp(`^rollback${WORK}\\s+to\\s`, 'i');
const MODE =
  /^(?:isolation\s+level\s+(serializable|repeatable\s+read|read\s+committed|read\s+uncommitted)|(read\s+only)|read\s+write|(?:not\s+)?deferrable)\s*,?\s*/i;

/** Levels by their strength; the first two are one in Postgres. */
const LEVELS = ['read uncommitted', 'read committed', 'repeatable read', 'serializable'];

/** What a statement means to a transaction; undefined for every other statement. */
export function transactionTextOf(text: string): TransactionText | undefined {
  const statement = text.trim().replace(/\s*;$/, '');
  // Most statements are neither: their first letters show it.
  if (!/^(?:begin|start|set|commit|end|rollback|abort)\b/i.test(statement)) return undefined;
  if (COMMIT.test(statement)) return { kind: 'commit' };
  if (ROLLBACK.test(statement)) return { kind: 'rollback' };
  if (ROLLBACK_TO.test(statement)) return { kind: 'rollback-to' };
  const begun = BEGIN.exec(statement);
  if (begun) return withModes('begin', begun[1] ?? '');
  const set = SET.exec(statement);
  return set ? withModes('set', set[1] ?? '') : undefined;
}

/** Whether work that asks for one level is safe at another. */
export function isAtLeast(level: string, asked: string): boolean {
  return LEVELS.indexOf(plain(level)) >= LEVELS.indexOf(plain(asked));
}

function withModes(kind: 'begin' | 'set', modes: string): TransactionText | undefined {
  let rest = modes;
  let isolation: string | undefined;
  let readOnly = false;
  while (rest !== '') {
    const mode = MODE.exec(rest);
    if (!mode) return undefined;
    if (mode[1] !== undefined) isolation = plain(mode[1]);
    if (mode[2] !== undefined) readOnly = true;
    rest = rest.slice(mode[0].length);
  }
  return { kind, isolation, readOnly };
}

function plain(level: string): string {
  return level.trim().toLowerCase().replace(/\s+/g, ' ');
}
