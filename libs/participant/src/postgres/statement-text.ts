/**
 * What the text of an operation's statement says of what it would do. Guards "nothing has an effect
 * before the decision, nothing is left behind after it" as far as a text can show it; what it hides is
 * found when the branch closes (`branch.sql.ts`), or is in the list of docs/adapters.md of what no
 * library can see.
 */

/** Blanks and comments before a statement; it never backtracks, on any input. */
const LEADING = /^(?:\s|--[^\n]*(?:\n|$)|\/\*(?:[^*]|\*(?!\/))*\*\/)*/;

/**
 * Statements that would end the branch's transaction behind the library's back. Only the first
 * statement of a text is looked at, for a semicolon can be in a literal: what hides behind one is
 * found when the branch closes, where the transaction has to be the one that was begun.
 */
const ENDING =
  /^(begin|start\s+transaction|commit|end|abort|prepare\s+transaction|rollback(?!\s+(?:work\s+|transaction\s+)?to\b))\b/i;

/** Statements that would outlive the branch on a pooled connection. */
const OUTLIVING =
  /^(set\s+(?!local\b|transaction\b|constraints\b)|reset\b|discard\b|listen\b|unlisten\b|prepare\b|deallocate\b|load\b)|\bpg_(try_)?advisory_lock(_shared)?\s*\(/i;

/** What acts outside of this transaction at once, and stays whatever its outcome. */
const ESCAPING =
  /\bdblink(_exec|_connect(_u)?|_send_query|_open|_fetch)?\s*\(|\blo_(import|export)\s*\(|\bpg_file_(write|rename|unlink)\s*\(|\bpg_logical_emit_message\s*\(|^copy\b[^;]*\bto\s+(program\b|e?')|^copy\b[^;]*\bfrom\s+program\b/i;

const TAKING_ROLE = /^set\s+local\s+(role|session)\b/i;

/** A text, and why the gate does not let it through. */
export interface Refused {
  readonly kind: 'ending' | 'outliving' | 'escaping';
  /** The words it begins with, or the function it calls. */
  readonly what: string;
}

/** What a statement's text says. */
export interface Judgement {
  /** Why it may not run in a branch; undefined when nothing in its text forbids it. */
  readonly refused: Refused | undefined;
  /** Whether it may call a function that this library does not know to only compute. */
  readonly callsOut: boolean;
  /** Whether it takes on another role for the rest of the branch. */
  readonly takesRole: boolean;
}

/** Judges a statement. A service sends the same few texts over and over: they are judged once. */
export const judgementOf = remembered((statement: string): Judgement => ({
  refused: refusedStatement(statement),
  callsOut: mayCallOut(statement),
  takesRole: TAKING_ROLE.test(statement.replace(LEADING, '')),
}));

/** As many texts are kept, and as long ones. */
const TEXTS_MAX = 1_000;
const TEXT_LENGTH_MAX = 4_096;

/**
 * What is computed of a text, computed once for those that come again. The last one is compared before
 * it is looked up: texts are often built again for each call, and comparing is cheaper than hashing.
 */
export function remembered<T>(compute: (text: string) => T): (text: string) => T {
  const known = new Map<string, T>();
  let last: { readonly text: string; readonly computed: T } | undefined;
  return (text) => {
    if (last?.text === text) return last.computed;
    let computed = known.get(text);
    if (computed === undefined) {
      computed = compute(text);
      if (text.length > TEXT_LENGTH_MAX) return computed;
      if (known.size >= TEXTS_MAX) known.clear();
      known.set(text, computed);
    }
    last = { text, computed };
    return computed;
  };
}

function refusedStatement(statement: string): Refused | undefined {
  const text = statement.replace(LEADING, '');
  if (ENDING.test(text)) return { kind: 'ending', what: firstWords(text) };
  if (OUTLIVING.test(text)) return { kind: 'outliving', what: firstWords(text) };
  const escaping = ESCAPING.exec(text);
  if (escaping) return { kind: 'escaping', what: escaping[0].replace(/\s*\($/, '').toLowerCase() };
  return undefined;
}

/**
 * Functions of Postgres that only compute, and words that may precede a parenthesis. A statement
 * that calls anything else may do what leaves no transaction id: NOTIFY, above all.
 */
const HARMLESS = new Set(
  `all and any array as avg between bit_and bit_or bool_and bool_or btrim by case cast ceil ceiling
   char_length coalesce concat concat_ws count cume_dist current_date current_setting date_part date_trunc
   dense_rank distinct encode exists extract filter first_value floor format from generate_series greatest
   group having if in insert interval into is isfinite join json_agg json_array_elements json_build_array
   json_build_object json_object_agg jsonb_agg jsonb_array_elements jsonb_build_array jsonb_build_object
   jsonb_object_agg jsonb_set jsonb_typeof justify_days key lag lateral lead least left length like limit
   lower lpad ltrim make_date max md5 min mod nextval not now ntile nullif numeric of offset on only or
   order over partition percentile_cont position power random range rank recursive regexp_replace
   replace returning right round row row_number rows rpad rtrim select set share sign split_part sqrt
   starts_with string_agg strpos substr substring sum table to_char to_date to_json to_jsonb to_timestamp
   trim trunc union unnest update upper using values varchar when where with within update`.split(
    /\s+/,
  ),
);
const CALL = /([a-z_][\w$]*|")\s*\(/gi;

function mayCallOut(statement: string): boolean {
  if (/^\s*(do|call|notify|execute)\b/i.test(statement.replace(LEADING, ''))) return true;
  // A second statement in one text can be anything.
  if (/;\s*\S/.test(statement)) return true;
  for (const [, name = ''] of statement.matchAll(CALL)) {
    if (!HARMLESS.has(name.toLowerCase())) return true;
  }
  return false;
}

function firstWords(text: string): string {
  return text.trim().split(/\s+/).slice(0, 2).join(' ').toUpperCase();
}
