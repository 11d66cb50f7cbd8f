/**
 * docs/configure.md and its neighbours against the code: every variable of every service with its default and
 * bounds, every metric. Guards "the pages cannot go stale": a variable that is added, renamed or
 * given another default fails here until the page says so. What needs servers is in compose.spec.ts.
 */
import { VARIABLES } from '@concordat/words';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { readCoordinatorConfig } from '../../apps/coordinator/src/platform/coordinator.config.js';
import { readInventoryConfig } from '../../apps/inventory/src/inventory.config.js';
import { readLedgerConfig } from '../../apps/ledger/src/ledger.config.js';

const ROOT = resolve(import.meta.dirname, '../..');
const page = readFileSync(resolve(ROOT, 'docs/configure.md'), 'utf8');
const OPERATING = ['configure', 'deploy', 'monitor', 'runbooks', 'topologies', 'admin-view'];

type Environment = Record<string, string>;

interface Service {
  readonly config: string;
  readonly heading: string;
  /** Column of the default, counted from the variable's. */
  readonly column: number;
  readonly read: (environment: Environment) => unknown;
  readonly required: Environment;
}

const addresses = { DATABASE_URL: 'postgres://a:b@localhost/c', NATS_URL: 'nats://localhost:1' };
const SERVICES: Record<string, Service> = {
  coordinator: {
    config: 'apps/coordinator/src/platform/coordinator.config.ts',
    heading: 'The coordinator',
    column: 1,
    read: readCoordinatorConfig,
    required: { ...addresses, CONCORDAT_CLIENT_KEY_SHA256: 'a'.repeat(64) },
  },
  ledger: {
    config: 'apps/ledger/src/ledger.config.ts',
    heading: 'The example participants',
    column: 1,
    read: readLedgerConfig,
    required: { ...addresses, PARTICIPANT_NAME: 'ledger-east' },
  },
  inventory: {
    config: 'apps/inventory/src/inventory.config.ts',
    heading: 'The example participants',
    column: 2,
    read: readInventoryConfig,
    required: addresses,
  },
};

/** The rows of the table below a heading, as trimmed cells. */
function tableBelow(heading: string): string[][] {
  const [, after = ''] = page.split(`### ${heading}\n`);
  const [section = ''] = after.split(/\n##/);
  return section
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}

/** What the configuration file's schema names: the file is the list, so nothing is left out. */
function variablesOf(config: string): string[] {
  const source = readFileSync(resolve(ROOT, config), 'utf8');
  const schema = /const Environment = z\.object\(\{([\s\S]*?)\n\}\);/.exec(source)?.[1] ?? '';
  return [...schema.matchAll(/^ {2}([A-Z][A-Z0-9_]*):/gm)].map((match) => match[1] as string);
}

/** What a setting may not exceed, as great as can be. */
const WHOLES: Record<string, Environment> = {
  CONCORDAT_HISTORY_RETENTION_MS: { CONCORDAT_RETENTION_MS: '3650d' },
  CONCORDAT_WAIT_MS_DEFAULT: { CONCORDAT_WAIT_MS_MAX: '10m' },
};
const wholesOf = (name: string): Environment => WHOLES[name] ?? {};

const unquoted = (cell = ''): string => cell.replaceAll('`', '');
const isLiteral = (cell = ''): boolean => /^`[^`]+`$/.test(cell);

describe.each(Object.entries(SERVICES))('The variables of the %s', (_, service) => {
  const { column, read, required } = service;
  const rows = tableBelow(service.heading);
  const names = rows.map((row) => unquoted(row[0]));
  const presets = new Map(rows.map((row) => [unquoted(row[0]), row[column] as string]));

  it('are those of its configuration, all of them and no others', () => {
    const known = variablesOf(service.config);
    expect(known.length).toBeGreaterThan(5);
    expect([...names].sort()).toEqual([...known].sort());
  });

  it('have the defaults that the page says', () => {
    const preset = read(required);
    for (const [name, value] of presets) {
      if (!isLiteral(value)) continue;
      const spelled = { ...required, [name]: unquoted(value) };
      expect({ name, config: read(spelled) }).toEqual({ name, config: preset });
    }
  });

  it('are required where the page says so, and nowhere else', () => {
    for (const [name, value] of presets) {
      const without = { ...required };
      delete without[name];
      if (value === 'required') expect(() => read(without)).toThrow(name);
      else if (!(name in required)) expect(() => read(without)).not.toThrow();
    }
  });

  it('have the bounds that the page says', () => {
    const bounded = rows.flatMap(([name, ...cells]) => {
      const bounds = cells.map((cell) => /^(\d+) … (\d+)$/.exec(cell)).find((one) => one !== null);
      return bounds ? [{ name: unquoted(name), least: +bounds[1]!, most: +bounds[2]! }] : [];
    });
    expect(bounded.length).toBeGreaterThan(4);
    for (const { name, least, most } of bounded) {
      const at = (value: number) => () =>
        read({ ...required, ...wholesOf(name), [name]: String(value) });
      expect(at(least)).not.toThrow();
      expect(at(most)).not.toThrow();
      expect(at(least - 1)).toThrow(name);
      expect(at(most + 1)).toThrow(name);
    }
    const wholes = rows.filter((row) => /^\d+$/.test(unquoted(row[column])));
    for (const row of wholes) {
      expect(bounded.map((one) => one.name)).toContain(unquoted(row[0]));
    }
  });
});

it('Every variable that is described is known to all services, as one of theirs or of another', () => {
  const described = [...page.matchAll(/`(CONCORDAT_[A-Z0-9_]+)`/g)].map((one) => one[1] as string);
  const own = Object.values(SERVICES).flatMap(({ config }) => variablesOf(config));
  const ours = own.filter((name) => name.startsWith('CONCORDAT_'));
  const ofCommands = ['CONCORDAT_URL', 'CONCORDAT_API_KEY', 'CONCORDAT_ADMIN_KEY'];
  expect([...VARIABLES].sort()).toEqual(
    [...new Set([...described, ...ours, ...ofCommands])].sort(),
  );
});

describe('The pages for operators', () => {
  it('names only metrics that there are', () => {
    const source = readFileSync(resolve(ROOT, 'apps/coordinator/src/metrics/metrics.ts'), 'utf8');
    const texts = OPERATING.map((name) => readFileSync(resolve(ROOT, `docs/${name}.md`), 'utf8'));
    const mentioned = [...texts.join('\n').matchAll(/\bconcordat_([a-z_]+)/g)].map(
      (match) => match[1] as string,
    );
    // The outcome table and a family written with a star are not metrics.
    const metrics = mentioned.filter((name) => name !== 'branch' && !name.endsWith('_'));
    expect(metrics.length).toBeGreaterThan(6);
    for (const name of new Set(metrics)) {
      const counted = name.replace(/_bucket$/, '');
      expect(source).toMatch(new RegExp(`'(concordat_)?${counted}'`));
    }
  });
});
