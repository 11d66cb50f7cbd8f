/** A setting that is wrong is named, with what it should be and without its value. */
import { z } from 'zod';
import { natsSetting, postgresSetting, readSettings } from './settings.js';

const Settings = z.object({
  DATABASE_URL: postgresSetting('postgres://user:password@127.0.0.1:5432/shop').optional(),
  NATS_URL: natsSetting().optional(),
  LOG_LEVEL: z.enum(['info', 'debug']).optional(),
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
