// The suites of package.json in other surroundings: see with.mjs, which sets the variables read here.

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));
const { jest } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
const { CONCORDAT_TEST_PG } = process.env;

export default {
  ...jest,
  rootDir: root,
  setupFiles: [`${root}test/presets/surroundings.ts`],
  moduleNameMapper: {
    ...jest.moduleNameMapper,
    ...(CONCORDAT_TEST_PG ? { '^pg$': CONCORDAT_TEST_PG } : {}),
  },
};
