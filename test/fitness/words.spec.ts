/**
 * Words that only this project used where the field has a word, or that no native engineer would write.
 * The style page of CONTRIBUTING.md gives the replacements. Prose is comments, texts, titles, pages and
 * the heads of the deliberate bugs; identifiers in code are not prose.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '../..');

/** The word, or words, and what to write instead. */
const WORDS: readonly (readonly [RegExp, string])[] = [
  [/(?<!:\/\/)\bnobody(?:['’]s)?\b/i, 'no client, no coordinator, no session'],
  [/\bwho(?:m)?ever\b/i, 'the client that, a process that'],
  [/\bin vain\b/i, 'without effect; an attempt that failed'],
  [/\bmend(?:s|ed|ing)?\b/i, 'fix'],
  [/\bby (?:our own )?hands?\b|\bhands (?:of|out|over|on)\b|\bat hand\b/i, 'manually; returns'],
  [/\bcourtes(?:y|ies)\b/i, 'abort notification'],
  [/\bafterglow\b/i, 'retention of ended transactions'],
  [/\bdeeds?\b/i, 'operator action'],
  [/\bdeaf\b/i, 'receives nothing any more'],
  [/\bbef(?:alls?|ell)\b/i, 'happens to'],
  [/\bfor ever\b/i, 'without limit, permanently'],
  [/\bfor good\b/i, 'permanently'],
  [/\banew\b/i, 'again'],
  [/\bstands? (?:already|now|there|for ever)\b/i, 'is on record'],
  [/\b(?:commit|abort|decision|nothing|none|tombstone|what) (?:stands|stood)\b/i, 'is on record'],
  [/\b(?:made|makes?|making|comes?) (?:\w+ ){0,4}(?:to )?stand\b/i, 'records'],
  [/\b(?:lies|lie|lay|lying) (?:prepared|idle|dead|below|above|ahead|in wait)\b/i, 'is prepared'],
  [/\b(?:tells?|told) (?:of|from|apart)\b/i, 'reports; distinguishes'],
  [/\b(?:struck|strikes?) off\b/i, 'removed from the list'],
  [/\bnought\b/i, 'zero, nothing'],
  [/\bwhence\b|\bthereof\b|\blest\b/i, 'from where, of it, so that not'],
];

/** What the database keeps under this text, names of this machine’s accounts, and the style page itself. */
const ALLOWED: readonly RegExp[] = [
  /^CONTRIBUTING\.md$/,
  /^test\/fitness\/words\.spec\.ts$/,
  /^libs\/decision-log\/src\/(?:migrations\/1764720000000-decision-log\.ts|schema\/schema\.sql)$/,
  /^libs\/testing\/src\/processes\/account\.ts$/,
  /^test\/conformance\/pooler\.ts$/,
];

const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: ROOT,
  encoding: 'utf8',
})
  .split('\n')
  .filter((file) => /\.(ts|tsx|mjs|cjs|md|txt|sql|css|html|ya?ml|conf|patch|sh)$/.test(file))
  .filter((file) => !/\/generated\//.test(file) && !ALLOWED.some((one) => one.test(file)))
  .filter((file) => existsSync(join(ROOT, file)));

/** Texts in quotes that are more than one word, and comments; of a page every line but its links. */
function prose(file: string, line: string): string {
  if (/\.(md|txt|html)$/.test(file)) {
    return line.replace(/\]\([^)]*\)/g, ']').replace(/`[^`]*`/g, '');
  }
  if (file.endsWith('.patch')) return /^(What|Rule):|^ {2}\S/.test(line) ? line : '';
  if (/^\s*(\/\*|\*|\/\/|--|#)/.test(line)) return line;
  const texts = line.match(/'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|`[^`]*`?/g) ?? [];
  const [, comment = ''] = /(?<![:'"`\w])\/\/ (.*)/.exec(line) ?? [];
  return [...texts.filter((text) => text.includes(' ')), comment]
    .join(' ')
    .replace(/\$\{[^}]*\}/g, '');
}

describe('Prose', () => {
  it.each(WORDS.map(([word, instead]) => [word.source, instead, word] as const))(
    'does without %s: write %s',
    (_source, _instead, word) => {
      const found = files.flatMap((file) =>
        readFileSync(join(ROOT, file), 'utf8')
          .split('\n')
          .flatMap((line, at) =>
            word.test(prose(file, line)) ? [`${file}:${at + 1}: ${line.trim()}`] : [],
          ),
      );
      expect(found).toEqual([]);
    },
  );
});
