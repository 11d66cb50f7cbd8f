/** The manifest of a new service: versions that were tried together, and Concordat from where it is to come. */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { DatabaseAccess, NewService } from './new-service.js';

const NEST = '12.5.1';

const DEPENDENCIES = {
  '@nestjs/common': NEST,
  '@nestjs/core': NEST,
  '@nestjs/platform-express': NEST,
  pg: '8.23.1',
  'reflect-metadata': '0.2.2',
  rxjs: '7.8.2',
  zod: '4.6.7',
};

const OF_ACCESS: Readonly<Record<DatabaseAccess, Readonly<Record<string, string>>>> = {
  typeorm: { '@nestjs/typeorm': '12.0.2', typeorm: '1.1.1' },
  pg: {},
};

const DEV_DEPENDENCIES = {
  '@swc/core': '1.16.22',
  '@types/node': '20.19.43',
  typescript: '5.9.3',
  'unplugin-swc': '2.0.0',
  vitest: '4.1.12',
};

/** What of Concordat it imports, and what only its tests need. */
const OURS = ['@concordat/participant'];
const OURS_FOR_TESTS = ['@concordat/client', '@concordat/coordinator', '@concordat/testing'];

export function manifestOf({ name, access, version, packages }: NewService): object {
  const from = (names: readonly string[]) =>
    Object.fromEntries(names.map((one) => [one, version] as const));
  const tarballs = packages ? tarballsIn(packages) : undefined;
  const ours = tarballs ?? from(OURS);
  return {
    name,
    version: '0.1.0',
    private: true,
    type: 'module',
    engines: { node: '>=20.19.0' },
    scripts: {
      build: 'tsc -p tsconfig.build.json',
      start: 'node dist/main.js',
      test: 'npm run build && vitest run',
      typecheck: 'tsc -p tsconfig.json',
    },
    dependencies: sorted({ ...DEPENDENCIES, ...OF_ACCESS[access], ...ours }),
    devDependencies: sorted({ ...DEV_DEPENDENCIES, ...(tarballs ? {} : from(OURS_FOR_TESTS)) }),
  };
}

/** Of each other's versions, which no registry has: what they need of ours is installed beside them. */
const NEEDED =
  /^@concordat\/(participant|channel|engine|protocol|client|coordinator|decision-log|testing|words|api|diagnosis)$/;

function tarballsIn(packages: string): Record<string, string> {
  const folder = resolve(packages);
  const lines = readFileSync(join(folder, 'order.txt'), 'utf8').trim().split('\n');
  const named = lines.map(
    (line) => line.split(' ') as [name: string, version: string, file: string],
  );
  return Object.fromEntries(
    named
      .filter(([name]) => NEEDED.test(name))
      .map(([name, , file]) => [name, `file:${join(folder, file)}`]),
  );
}

function sorted(needs: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(needs).sort(([a], [b]) => (a < b ? -1 : 1)));
}
