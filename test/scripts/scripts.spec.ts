/**
 * Every file beside this one is a story: whole-protocol, driving the shipped engine, one test each.
 * A story that fails shows the difference; rewrite it, read the difference again, and commit only
 * what docs/protocol.md demands.
 */
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { play, titleOf } from './run.js';

const isRewriting = process.env['SCRIPTS_REWRITE'] === '1';
const only = process.env['SCRIPTS_ONLY'] ?? '';
const folder = new URL('./', import.meta.url);

const stories = readdirSync(folder)
  .filter((name) => name.endsWith('.txt') && name.includes(only))
  .sort()
  .map((name) => {
    const script = readFileSync(new URL(name, folder), 'utf8');
    return { name, script, title: titleOf(script) };
  });

const HOW_TO_GO_ON =
  'Where docs/protocol.md demands the new trace: npm run scripts -- --rewrite, then read the difference ' +
  'line by line before it is committed. Where it does not, the product is wrong.';

describe('The stories', () => {
  it('are about different things', () => {
    expect(new Set(stories.map((one) => one.title)).size).toBe(stories.length);
  });

  it.each(stories)('$name: $title', async ({ name, script }) => {
    const happened = await play(script);
    if (happened === script) return;
    if (isRewriting) {
      writeFileSync(new URL(name, folder), happened);
      return;
    }
    try {
      expect(happened).toBe(script);
    } catch (error) {
      throw new Error(`${name}\n${(error as Error).message}\n\n${HOW_TO_GO_ON}`, { cause: error });
    }
  });
});
