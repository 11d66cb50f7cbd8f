/**
 * Takes literals and comments out of a statement, so that what a waiting session does can be shown
 * without what it does it to. Guards "no personal data in reports": what cannot be distinguished from a literal
 * is treated as one, and a text that was cut inside of a literal ends there.
 */

const LENGTH_MAX = 300;

type Kind = 'comment' | 'literal' | 'kept';

/** In this order: what opens, how it ends. An end that is missing takes everything. */
const PARTS: readonly (readonly [Kind, RegExp])[] = [
  ['comment', /--[^\n]*/y],
  ['comment', /\/\*[\s\S]*?(?:\*\/|$)/y],
  ['literal', /[eE]'(?:[^'\\]|\\[\s\S]|'')*(?:'|\\?$)/y],
  ['literal', /(?:[bBxXnN]|[uU]&)?'(?:[^']|'')*(?:'|$)/y],
  ['kept', /\$\d+/y],
  ['literal', /\$([A-Za-z_]\w*)?\$[\s\S]*?(?:\$\1\$|$)/y],
  ['kept', /"(?:[^"]|"")*(?:"|$)/y],
  ['kept', /[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*/y],
  ['literal', /\.?\d(?:[\w.]|(?<=[eE])[+-])*/y],
];

export function withoutLiterals(statement: string): string {
  let shown = '';
  for (let at = 0; at < statement.length && shown.length < LENGTH_MAX;) {
    const { kind, text } = partAt(statement, at);
    if (kind === 'kept') shown += text;
    else shown += kind === 'comment' ? ' ' : '?';
    at += text.length;
  }
  return shown.replace(/\s+/g, ' ').trim().slice(0, LENGTH_MAX);
}

function partAt(statement: string, at: number): { readonly kind: Kind; readonly text: string } {
  for (const [kind, part] of PARTS) {
    part.lastIndex = at;
    const match = part.exec(statement);
    if (match) return { kind, text: match[0] };
  }
  return { kind: 'kept', text: statement.charAt(at) };
}
