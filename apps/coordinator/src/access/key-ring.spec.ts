/** Keys are made once, stored as hashes, and found only by a client that holds one. */
import { keygen } from '../keygen.js';
import { generateKey, hashKey, KEY_LENGTH_MIN, StoredKey } from '../platform/api-key.js';
import { bearerKey, KeyRing } from './key-ring.js';

describe('A key ring', () => {
  const app = generateKey('app', 'client');
  const ops = generateKey('ops', 'operator');
  const ring = new KeyRing([app.stored, ops.stored]);

  it('knows whose key it is', () => {
    expect(ring.principalOf(app.key)).toEqual({ id: 'app', scope: 'client' });
    expect(ring.principalOf(ops.key)).toEqual({ id: 'ops', scope: 'operator' });
  });

  it.each([
    ['another key', generateKey('app', 'client').key],
    ['the hash itself', app.stored.sha256],
    ['a key cut short', app.key.slice(0, -1)],
    ['a key with more behind it', `${app.key}x`],
    ['nothing', ''],
  ])('knows no client by %s', (_, key) => {
    expect(ring.principalOf(key)).toBeUndefined();
  });

  it('refuses a short key even when its hash is stored', () => {
    const weak = 'x'.repeat(KEY_LENGTH_MIN - 1);
    const careless = new KeyRing([{ id: 'weak', scope: 'operator', sha256: hashKey(weak) }]);
    expect(careless.principalOf(weak)).toBeUndefined();
  });
});

describe('An Authorization header', () => {
  it.each([
    ['Bearer abc', 'abc'],
    ['bearer abc', 'abc'],
    ['Bearer   abc  ', 'abc'],
    ['Basic abc', undefined],
    ['Bearer', undefined],
    ['Bearer a b', undefined],
    ['Bearer caf\u00e9', undefined],
    [undefined, undefined],
  ])('%j holds %j', (header, key) => {
    expect(bearerKey(header)).toBe(key);
  });
});

describe('keygen', () => {
  function run(...args: string[]): { code: number; lines: string[] } {
    const lines: string[] = [];
    return { code: keygen(args, (line) => lines.push(line)), lines };
  }

  it('prints a key and the line to store, which holds its hash and not the key', () => {
    const { code, lines } = run('--scope', 'client', '--id', 'my-service', '--json');
    expect(code).toBe(0);
    const made = JSON.parse(lines[0] as string) as { key: string; stored: StoredKey };
    expect(made.key.length).toBeGreaterThanOrEqual(KEY_LENGTH_MIN);
    expect(StoredKey.parse(made.stored)).toEqual({
      id: 'my-service',
      scope: 'client',
      sha256: hashKey(made.key),
    });
    expect(JSON.stringify(made.stored)).not.toContain(made.key);
  });

  it('makes another key every time', () => {
    const keys = [1, 2, 3].map(() => run('--scope', 'operator', '--id', 'x', '--json').lines[0]);
    expect(new Set(keys).size).toBe(3);
  });

  it.each([
    [[]],
    [['--scope', 'client']],
    [['--id', 'x']],
    [['--scope', 'root', '--id', 'x']],
    [['--scope', 'client', '--id', 'has:colon']],
    [['--scope', 'client', '--id', 'x', '--force']],
  ])('refuses %j and says how it is used', (args) => {
    const { code, lines } = run(...args);
    expect(code).toBe(2);
    expect(lines.join()).toMatch(/^usage:/);
  });
});
