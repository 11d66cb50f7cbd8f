/**
 * The services that the packages are tried in: the one of docs/adapters.md in three generations of Nest,
 * and its plain Node sample in strict TypeScript, as ES modules and as CommonJS.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { HostKind } from './host.js';
import { blocksUnder } from './page.js';

const EXISTING = resolve(import.meta.dirname, '../existing');
const JOINING = 'Add Concordat to the service you have';

/** What the service has before it is added to, and the files that the page shows. */
function pageFiles(forEsm: boolean): Record<string, string> {
  const own = readdirSync(EXISTING, { recursive: true })
    .map(String)
    .filter((path) => path.endsWith('.ts'))
    .map((path) => [path, readFileSync(join(EXISTING, path), 'utf8')] as const);
  const shown = blocksUnder(JOINING).flatMap(({ path, text }) =>
    path ? [[path, text] as const] : [],
  );
  const files = [...own, ...shown];
  // ES modules name the files that they import with their ending; the page is written for the others.
  const ending = (text: string) => text.replace(/(from '\.[^']*)'/g, "$1.js'");
  return Object.fromEntries(files.map(([path, text]) => [path, forEsm ? ending(text) : text]));
}

const DECORATED = {
  experimentalDecorators: true,
  emitDecoratorMetadata: true,
  strict: true,
  strictPropertyInitialization: false,
  skipLibCheck: true,
  sourceMap: true,
  rootDir: 'src',
  outDir: 'dist',
};
const SOURCES = { include: ['src'], exclude: ['src/**/*.spec.ts', 'node_modules', 'dist'] };

const COMPILER = { typescript: '5.9.3', '@types/node': '20.19.43' };
const JEST = { jest: '29.7.0', 'ts-jest': '29.4.5', '@types/jest': '29.5.14' };

/** As the Nest CLI of each generation makes it. */
const JEST_OF_NEST = {
  moduleFileExtensions: ['js', 'json', 'ts'],
  rootDir: 'src',
  testRegex: '.*\\.spec\\.ts$',
  transform: { '^.+\\.(t|j)s$': 'ts-jest' },
  testEnvironment: 'node',
};

function nest(version: string, ofTypeOrm: string): Record<string, string> {
  return {
    '@nestjs/common': version,
    '@nestjs/core': version,
    '@nestjs/platform-express': version,
    '@nestjs/typeorm': ofTypeOrm,
    'reflect-metadata': '0.2.2',
    rxjs: '7.8.2',
    zod: '4.6.7',
    ...COMPILER,
  };
}

/** Nest 11 as CommonJS: `@nestjs/microservices` is not there, and jest only where it is run. */
export function nest11(withJest: boolean): HostKind {
  return {
    name: 'nest-11-commonjs',
    isModule: false,
    dependencies: {
      ...nest('11.2.10', '11.0.3'),
      typeorm: '0.3.31',
      pg: '8.16.3',
      ...(withJest ? { ...JEST, '@nestjs/testing': '11.2.6' } : {}),
    },
    tsconfig: {
      compilerOptions: {
        ...DECORATED,
        target: 'ES2023',
        module: 'nodenext',
        isolatedModules: true,
      },
      ...SOURCES,
    },
    files: { ...pageFiles(false), ...(withJest ? { 'src/servers.spec.ts': SERVERS } : {}) },
    manifest: { jest: JEST_OF_NEST },
  };
}

/** A test of the service's own that wants a real database. */
const SERVERS = `
import { startPostgres } from '@concordat/testing';

it('has a Postgres of its own', async () => {
  const server = await startPostgres();
  expect(await server.createDatabase('own')).toContain('/own');
  await server.dispose();
}, 60_000);
`;

/** The oldest of everything that is promised. */
export const NEST_10: HostKind = {
  name: 'nest-10-commonjs',
  isModule: false,
  dependencies: {
    ...nest('10.0.0', '10.0.0'),
    '@nestjs/testing': '10.0.0',
    'reflect-metadata': '0.1.13',
    rxjs: '7.2.0',
    typescript: '5.0.4',
    typeorm: '0.3.12',
    pg: '8.5.1', // TypeORM's own least; 8.2.0 without it.
    ...JEST,
    jest: '29.5.0',
    'ts-jest': '29.1.0',
  },
  tsconfig: {
    compilerOptions: { ...DECORATED, target: 'ES2021', module: 'commonjs', esModuleInterop: true },
    ...SOURCES,
  },
  files: pageFiles(false),
  manifest: { jest: JEST_OF_NEST },
};

export const NEST_12: HostKind = {
  name: 'nest-12-modules',
  isModule: true,
  dependencies: {
    ...nest('12.5.1', '12.0.2'),
    '@nestjs/testing': '12.1.1',
    typeorm: '1.1.1',
    pg: '8.23.1',
    vitest: '4.1.12',
    'unplugin-swc': '2.0.0',
    '@swc/core': '1.16.22',
  },
  tsconfig: {
    compilerOptions: { ...DECORATED, target: 'ES2023', module: 'nodenext', isolatedModules: true },
    ...SOURCES,
  },
  files: {
    ...pageFiles(true),
    'vitest.config.mjs': [
      `import swc from 'unplugin-swc';`,
      `export default { test: { globals: true, include: ['src/**/*.spec.ts'] }, plugins: [swc.vite()] };`,
    ].join('\n'),
    '.swcrc': JSON.stringify({
      jsc: {
        target: 'es2023',
        parser: { syntax: 'typescript', decorators: true },
        transform: { legacyDecorator: true, decoratorMetadata: true },
      },
    }),
  },
};

/** The sample of the page's "Plain Node", strict, with all types checked that it leads to. */
export function plainNode(isModule: boolean): HostKind {
  const [sample] = blocksUnder('Plain Node');
  return {
    name: isModule ? 'plain-modules' : 'plain-commonjs',
    isModule,
    dependencies: { pg: isModule ? '8.23.1' : '8.2.0', zod: '4.6.7', ...COMPILER },
    tsconfig: {
      compilerOptions: {
        target: 'ES2023',
        // The strictest about what a CommonJS file may import.
        module: isModule ? 'nodenext' : 'node16',
        strict: true,
        noUncheckedIndexedAccess: true,
        types: ['node'],
        rootDir: 'src',
        outDir: 'dist',
      },
      ...SOURCES,
    },
    files: { 'src/main.ts': programOf(sample?.text ?? '', isModule) },
  };
}

/** The sample as a program: addresses from the environment, and an answer to a readiness probe. */
function programOf(sample: string, isModule: boolean): string {
  const given = sample
    .replace(/'nats:[^']*'/, `process.env['NATS_URL'] ?? ''`)
    .replace(/'postgres:[^']*'/, `process.env['DATABASE_URL'] ?? ''`);
  const imports = given.match(/^import .*\n/gm)?.join('') ?? '';
  const body = given.replace(/^import .*\n/gm, '');
  const answer = `createServer((_request, response) => {
    void participant.readiness().then(({ ready }) => response.writeHead(ready ? 200 : 503).end());
  }).listen(Number(process.env['PORT']), '127.0.0.1');`;
  const program = `${body}\n${answer}\n`;
  return [
    `${imports}import { createServer } from 'node:http';`,
    isModule ? program : `async function main(): Promise<void> {\n${program}}\nvoid main();\n`,
  ].join('\n');
}
