/** The program on each ORM's page is the one that the tests run. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { ORMS } from './stage.js';

const ROOT = resolve(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(resolve(ROOT, path), 'utf8');

describe('The page of an ORM', () => {
  it.each(ORMS)('%s shows the program that is tested', (orm) => {
    const [, program] =
      /\/\/ #region page\n(.*?)\n\/\/ #endregion/s.exec(read(`test/orms/services/${orm}.ts`)) ?? [];
    expect(read(`docs/adapters/${orm}.md`)).toContain(`\`\`\`ts\n${program}\n\`\`\``);
  });
});
