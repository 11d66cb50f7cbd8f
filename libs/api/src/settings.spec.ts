/** A setting that is wrong is named, with what it should be and without its value. */
import { VARIABLES } from '@concordat/words';
import { z } from 'zod';
import {
  aboveFaults,
  natsSetting,
  postgresSetting,
  readSettings,
  wholeSetting,
} from './settings.js';

const Settings = z.object({
  DATABASE_URL: postgresSetting('postgres://user:password@127.0.0.1:5432/shop').optional(),
  NATS_URL: natsSetting().optional(),
  LOG_LEVEL: z.enum(['info', 'debug']).optional(),
  CONCORDAT_LIVE_MAX: wholeSetting(1, 100).default(20),
  CONCORDAT_POOL_SIZE: wholeSetting(1, 100).default(10),
});

const faultsOf = (environment: Readonly<Record<string, string>>): readonly string[] => {
  const given = readSettings(Settings, environment);
  return 'faults' in given ? given.faults : [];
};

describe('An address', () => {
  it.each([
    ['DATABASE_URL', 'postgres://u:p@h:5432/db?sslmode=require'],
    ['DATABASE_URL', 'postgresql://u:p@ss@[::1]/db'],
    ['DATABASE_URL', 'postgres:///db?host=/tmp'],
    ['NATS_URL', 'nats://127.0.0.1:4222, tls://u:p%40@broker:4222/'],
  ])('of %s such as %s is taken', (name, value) => {
    expect(faultsOf({ [name]: value })).toEqual([]);
  });

  it.each([
    ['DATABASE_URL', 'mysql://secret', /begins with postgres:\/\/ or postgresql:\/\//],
    ['DATABASE_URL', 'postgres://[secret', /cannot be read .* percent-encoded/],
    ['DATABASE_URL', 'postgres://u:secret#1@h/db', /cannot be read .* percent-encoded/],
    ['DATABASE_URL', 'postgres://u:secret@h:port/db', /cannot be read/],
    ['NATS_URL', 'http://secret', /begins with nats:\/\/ or tls:\/\//],
    ['NATS_URL', 'nats://u:secret@', /cannot be read/],
    ['NATS_URL', 'nats://u:secret%zz@h', /cannot be read .* percent-encoded/],
  ])('of %s that is %s is refused, by its name and once', (name, value, words) => {
    const faults = faultsOf({ [name]: value });
    expect(faults).toEqual([expect.stringMatching(words)]);
    expect(faults[0]).toMatch(new RegExp(`^${name} `));
    expect(faults[0]).not.toContain('secret');
  });
});

it('A choice that is none of those offered is told which there are', () => {
  expect(faultsOf({ LOG_LEVEL: 'loud' })).toEqual(['LOG_LEVEL must be "info" or "debug"']);
});

describe('A variable that begins with CONCORDAT_', () => {
  it.each([
    ['CONCORDAT_POOLSIZE', 'CONCORDAT_POOL_SIZE'],
    ['CONCORDAT_LIVE_MXA', 'CONCORDAT_LIVE_MAX'],
  ])('and is nearly a setting, %s, is refused with the setting that was meant', (name, meant) => {
    expect(faultsOf({ [name]: '7' })).toEqual([`${name} is not a setting. Did you mean ${meant}?`]);
  });

  it('and that nothing reads is named as ignored, unless it is empty', () => {
    const given = readSettings(Settings, { CONCORDAT_ANSWER_MAX: '1', CONCORDAT_POOLSIZE: '' });
    expect(given).toMatchObject({ ignored: ['CONCORDAT_ANSWER_MAX'] });
  });

  it('is nothing strange as a setting of another program, or as an address that Kubernetes gives', () => {
    const others = Object.fromEntries(VARIABLES.map((name) => [name, '7']));
    const links = {
      CONCORDAT_POOL_PORT: 'tcp://10.0.0.1:7400',
      CONCORDAT_SERVICE_HOST: '10.0.0.1',
      CONCORDAT_SERVICE_PORT_HTTP: '7400',
      CONCORDAT_PORT_7400_TCP_ADDR: '10.0.0.1',
    };
    expect(readSettings(Settings, { ...others, ...links })).toMatchObject({ ignored: [] });
  });
});

it('A setting above one that it may not exceed is refused if it was set, and gives way if it was not', () => {
  const pair = [['CONCORDAT_POOL_SIZE', 'CONCORDAT_LIVE_MAX']] as const;
  const read = { CONCORDAT_POOL_SIZE: 30_000, CONCORDAT_LIVE_MAX: 20_000 };
  const above =
    'CONCORDAT_POOL_SIZE is above CONCORDAT_LIVE_MAX (20 s). Lower it, or raise CONCORDAT_LIVE_MAX';
  expect(aboveFaults(read, { CONCORDAT_POOL_SIZE: '30000' }, pair)).toEqual([above]);
  expect(aboveFaults(read, { CONCORDAT_LIVE_MAX: '20000' }, pair)).toEqual([]);
});
