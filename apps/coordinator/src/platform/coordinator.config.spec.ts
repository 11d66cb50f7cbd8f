/** The configuration says everything that is wrong at once, and never repeats a secret. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateKey, hashKey } from './api-key.js';
import { ConfigurationRefused, readCoordinatorConfig } from './coordinator.config.js';

describe('The configuration', () => {
  const { stored } = generateKey('app', 'client');
  const least = {
    DATABASE_URL: 'postgres://u:pw-secret@db/concordat',
    NATS_URL: 'nats://u:nats-secret@broker:4222',
    CONCORDAT_CLIENT_KEY_SHA256: stored.sha256,
  };
  let folder: string;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'concordat-config-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  function faults(environment: Record<string, string | undefined>): string {
    try {
      readCoordinatorConfig(environment);
    } catch (error) {
      if (error instanceof ConfigurationRefused) return error.message;
      throw error;
    }
    return '';
  }

  function keysFile(content: string): Record<string, string | undefined> {
    const path = join(folder, 'keys.json');
    writeFileSync(path, content);
    return { ...least, CONCORDAT_CLIENT_KEY_SHA256: undefined, CONCORDAT_KEYS_FILE: path };
  }

  it('needs a database, a broker and a key; the rest has defaults that bind to loopback', () => {
    expect(readCoordinatorConfig(least)).toMatchObject({
      port: 7400,
      host: '127.0.0.1',
      natsQuestionsUrl: least.NATS_URL,
      keys: [{ id: 'client', scope: 'client', sha256: stored.sha256 }],
      branchesMax: 64,
      bodyBytesMax: 1_048_576,
      timeoutMsMax: 900_000,
    });
  });

  it('names everything that is missing at once, with what to set', () => {
    const said = faults({});
    expect(said).toMatch(/DATABASE_URL is not set.*such as postgres:\/\//);
    expect(said).toMatch(/NATS_URL is not set.*such as nats:\/\//);
    expect(faults({ ...least, CONCORDAT_CLIENT_KEY_SHA256: '' })).toMatch(/keygen --scope client/);
  });

  it.each([
    ['PORT', '70000'],
    ['PORT', '-1'],
    ['PORT', '7400.5'],
    ['DATABASE_URL', 'mysql://u:pw-secret@db/x'],
    ['NATS_URL', 'http://broker'],
    ['LOG_LEVEL', 'loud'],
    ['CONCORDAT_BRANCHES_MAX', '65'],
    ['CONCORDAT_TIMEOUT_MS_MAX', '900001'],
    ['CONCORDAT_CLIENT_KEY_SHA256', 'the-key-itself'],
    ['CONCORDAT_HISTORY_RETENTION_MS', '8d'],
    ['CONCORDAT_WAIT_MS_DEFAULT', '2m'],
    ['CONCORDAT_FORCE_KEY_SHA265', 'the-key-itself'],
    ['CONCORDAT_LIVEMAX', '5'],
  ])('refuses %s=%s by its name', (name, value) => {
    const said = faults({ ...least, [name]: value });
    expect(said).toContain(name);
    expect(said).not.toMatch(/secret|the-key-itself/);
  });

  it('lets a default give way to a maximum that is set below it', () => {
    const low = { CONCORDAT_RETENTION_MS: '1d', CONCORDAT_TIMEOUT_MS_MAX: '5s' };
    expect(readCoordinatorConfig({ ...least, ...low })).toMatchObject({
      historyRetentionMs: 86_400_000,
      timeoutMsDefault: 5_000,
    });
    const both = { ...low, CONCORDAT_TIMEOUT_MS_DEFAULT: '6s' };
    expect(faults({ ...least, ...both })).toContain(
      'CONCORDAT_TIMEOUT_MS_DEFAULT is above CONCORDAT_TIMEOUT_MS_MAX (5 s). Lower it',
    );
  });

  it('reads keys from a file', () => {
    const ops = generateKey('ops', 'operator').stored;
    const config = readCoordinatorConfig(keysFile(JSON.stringify([stored, ops])));
    expect(config.keys).toEqual([stored, ops]);
  });

  it.each([
    ['is not JSON', 'no json', /is not JSON/],
    ['is no list', '{}', /the file: /],
    ['has a field more', JSON.stringify([{ ...stored, key: 'x' }]), /0: /],
    ['has a plain key', JSON.stringify([{ ...stored, sha256: 'secret' }]), /0\.sha256: must be 64/],
    ['has an id with a colon', JSON.stringify([{ ...stored, id: 'a:b' }]), /0\.id: must be/],
    ['has an unknown scope', JSON.stringify([{ ...stored, scope: 'root' }]), /0\.scope: must be/],
    ['has one id twice', JSON.stringify([stored, generateKey('app', 'client').stored]), /same id/],
    ['has one key twice', JSON.stringify([stored, { ...stored, id: 'b' }]), /same sha256/],
    ['is empty', '[]', /No API key/],
    [
      'has a default word as key',
      JSON.stringify([{ ...stored, sha256: hashKey('secret') }]),
      /"app" is the default word "secret"/,
    ],
  ])('refuses a key file that %s', (_, content, said) => {
    expect(faults(keysFile(content))).toMatch(said);
  });

  it('refuses a key file that is not there', () => {
    const at = join(folder, 'absent.json');
    expect(faults({ ...least, CONCORDAT_KEYS_FILE: at })).toMatch(/cannot be read .*absent\.json/);
  });
});
