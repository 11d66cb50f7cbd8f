/** The reference pages against the code they are made from. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { REFERENCE } from './reference.js';

const ROOT = resolve(import.meta.dirname, '../..');
const rewrite = process.env['REFERENCE_REWRITE'] === '1';

describe('The reference', () => {
  it.each(Object.entries(REFERENCE))('%s is what the code says', (path, make) => {
    const file = resolve(ROOT, path);
    const made = make();
    if (rewrite) {
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, made);
    }
    const remedy = 'npm run docs -- --reference';
    expect({ remedy, page: existsSync(file) ? readFileSync(file, 'utf8') : '' }).toEqual({
      remedy,
      page: made,
    });
    // A pattern that no longer finds anything would agree with an empty page.
    expect(made.split('\n').length).toBeGreaterThan(25);
  });
});
