/**
 * Statements of operations that a connection keeps by name, so that the server parses and plans them once and
 * not in each branch. Only where the host asks for it: what a statement means is then what it meant when the
 * connection got to know it. Guards "the same as without a name" as far as a text can show it: a text with
 * a literal is never kept, for a server reads literals once ('today' would stay the day of the first branch),
 * and one that has failed is not kept any more.
 *
 * A named statement survives its transaction, and a branch in which one does not fit any more fails like any
 * other: nothing of it was prepared, so it votes no, and may be tried again. ADR 47.
 */
import { createHash } from 'node:crypto';
import { hasValues, textOf } from './query-forms.js';
import { SqlState, sqlErrorOf } from './sqlstate.js';

/** A text is kept when it comes for the so many-th time: what is built again for each call never does. */
const KEPT_FROM = 5;
/** So many texts are counted, and so long ones. */
const TEXTS_MAX = 1_000;
const TEXT_LENGTH_MAX = 4_096;

/** What a server reads when it parses a statement, instead of when it runs it: texts in any quotes. */
const LITERAL = /'|\$(?:[a-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$/i;

/** Errors that say that what was kept is not there, or does not fit what is there. */
const NOT_THERE: ReadonlySet<string> = new Set(['26000', '42P05']);

interface Known {
  times: number;
  /** Absent while it is only counted; null: never again. */
  name?: string | null;
}

/** The statements that the connections of one pool keep. */
export class KeptStatements {
  private readonly known = new Map<string, Known>();
  private kept = 0;
  /** Grows when a table was changed: from then on every statement has another name. */
  private generation = 0;

  /** `max`: how many a connection keeps. */
  constructor(private readonly max: number) {}

  /** The arguments of a query, with a name where its statement is kept. */
  named(args: readonly unknown[]): readonly unknown[] {
    const [config, ...others] = args;
    if (!hasValues(args) || !isPlain(config)) return args;
    const text = textOf(config);
    const name = this.nameOf(text);
    if (name === undefined) return args;
    return [typeof config === 'string' ? { text, name } : { ...config, name }, ...others];
  }

  /**
   * Takes note that a statement failed. Returns whether its connection may keep what does not fit any more,
   * and must not be used again.
   */
  failed(text: string, error: unknown): boolean {
    const known = this.known.get(text);
    const sql = sqlErrorOf(error);
    if (!known?.name || !sql) return false;
    const isChanged = sql.code === SqlState.notSupported && sql.routine === CHANGED;
    if (isChanged) {
      this.generation += 1;
      for (const one of this.known.values()) if (one.name) delete one.name;
      this.kept = 0;
      return true;
    }
    // Types of its values may be those of a column that has another one by now: without a name they are
    // read again.
    if (/^(22|42)/.test(sql.code) || NOT_THERE.has(sql.code)) known.name = null;
    return NOT_THERE.has(sql.code);
  }

  private nameOf(text: string): string | undefined {
    const known = this.known.get(text) ?? this.count(text);
    if (!known || known.name === null) return undefined;
    known.times += 1;
    if (known.name === undefined && known.times >= KEPT_FROM && this.kept < this.max) {
      const digest = createHash('sha256').update(text).digest('hex').slice(0, 16);
      known.name = `concordat_op_${digest}_${this.generation}`;
      this.kept += 1;
    }
    return known.name;
  }

  private count(text: string): Known | undefined {
    if (text.length > TEXT_LENGTH_MAX || LITERAL.test(text)) return undefined;
    if (this.known.size >= TEXTS_MAX) {
      for (const [other, { name }] of this.known) if (name === undefined) this.known.delete(other);
    }
    if (this.known.size >= TEXTS_MAX) return undefined;
    const known: Known = { times: 0 };
    this.known.set(text, known);
    return known;
  }
}

/** The function of the server that finds that a statement would answer other columns than before. */
const CHANGED = 'RevalidateCachedQuery';

/** A text, or a configuration without a name that is no object of some class. */
function isPlain(config: unknown): config is string | { readonly text: string } {
  if (typeof config === 'string') return true;
  if (typeof config !== 'object' || config === null) return false;
  if (Object.getPrototypeOf(config) !== Object.prototype) return false;
  const { name } = config as { readonly name?: unknown };
  return name === undefined;
}
