/** The types of the client against the schemas they are made from. */
import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { clientTypes } from './client-types.js';

const FILE = resolve(import.meta.dirname, '../../libs/client/src/generated/api.ts');

describe('The types of the client', () => {
  it('are those of the schemas', () => {
    const made = clientTypes();
    if (process.env['CLIENT_TYPES_REWRITE'] === '1') writeFileSync(FILE, made);
    const remedy = 'npm run client-types';
    expect({ remedy, types: readFileSync(FILE, 'utf8') }).toEqual({ remedy, types: made });
  });

  it('have a name for every shape that others refer to', () => {
    expect(clientTypes()).not.toMatch(/\b__shared\b|#\/|schema\d+/);
  });
});
