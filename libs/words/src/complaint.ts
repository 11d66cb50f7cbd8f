/**
 * What a schema library says about a value, in words that follow the name of the field. Guards "bad input
 * gets a clear error": zod's own words are made for its author (`expected string, received undefined`). A
 * message that the schema's author wrote is kept as it is.
 */
import { counted } from './words.js';

type Phrase = readonly [pattern: RegExp, say: (...parts: string[]) => string];

const PHRASES: readonly Phrase[] = [
  [
    /^Invalid input: expected (\w+), received undefined$/,
    (wanted) => `is missing; it must be ${kindOf(wanted)}`,
  ],
  [/^Invalid input: expected int, received number$/, () => 'must be a whole number'],
  [
    /^Invalid input: expected (\w+), received (\w+)$/,
    (wanted, got) => `must be ${kindOf(wanted)}, not ${kindOf(got)}`,
  ],
  [
    /^Invalid (?:input|option): expected (?:one of )?(".+)$/,
    (all) => `must be ${all.split('|').join(' or ')}`,
  ],
  [
    /^Too (?:big|small): expected \w+ to have (<=|<|>=|>|exactly )(\d+) (\w+?)s?$/,
    (bound, count, unit) => `must have ${boundOf(bound)} ${counted(Number(count), unit)}`,
  ],
  [
    /^Too (?:big|small): expected \w+ to be (<=|<|>=|>)(\S+)$/,
    (bound, limit) => `must be ${boundOf(bound)} ${limit}`,
  ],
  [/^Invalid (?:string|number): must (.+)$/, (rule) => `must ${rule}`],
  [/^Invalid (email address|ISO \w+|UUID|URL)$/, (what) => `must be ${withArticle(what)}`],
];

/** A message of zod's own as it follows the name of a field; any other as it is. */
export function complaintText(message: string): string {
  for (const [pattern, say] of PHRASES) {
    const found = pattern.exec(message);
    if (found) return say(...found.slice(1));
  }
  return message;
}

const BOUNDS: Readonly<Record<string, string>> = {
  '<=': 'at most',
  '<': 'less than',
  '>=': 'at least',
  '>': 'more than',
};

const boundOf = (sign: string): string => BOUNDS[sign] ?? sign.trim();

const KINDS: Readonly<Record<string, string>> = {
  int: 'a whole number',
  record: 'an object',
  null: 'null',
  NaN: 'NaN',
  Infinity: 'Infinity',
};

const kindOf = (word: string): string => KINDS[word] ?? withArticle(word);

function withArticle(word: string): string {
  return `${/^[aeioI]/.test(word) ? 'an' : 'a'} ${word}`;
}
