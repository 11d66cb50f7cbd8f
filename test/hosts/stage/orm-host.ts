/**
 * A service of somebody else for each ORM, all in one folder: the program of the ORM's page, our packages from
 * tarballs, and the ORMs in the versions that the pages name. Which one runs says the environment.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { HostKind } from './host.js';
import type { Taking } from './rounds.js';

const ROOT = resolve(import.meta.dirname, '../../..');

export const ORMS = [
  'drizzle',
  'kysely',
  'knex',
  'sequelize',
  'mikro-orm',
  'prisma',
  'typeorm',
  'nestjs-cls',
] as const;
export type Orm = (typeof ORMS)[number];

/** The packages that adapt an ORM; TypeORM's is in the participant library. */
export const ADAPTERS = ORMS.filter((orm) => orm !== 'typeorm').map(
  (orm) => `@concordat/participant-${orm}`,
);

/** Each unit of work takes one out of stock. */
export function stockOf(orm: Orm): Taking {
  return {
    participant: `stock-${orm}`,
    operation: () => ({ name: 'reserve', input: { sku: 'a', quantity: 1 } }),
    done: async (database) => {
      const { rows } = await database.query<{ available: number }>(
        `SELECT available FROM stock WHERE sku = 'a'`,
      );
      return 1_000 - (rows[0]?.available ?? Number.NaN);
    },
  };
}

export const STOCK = `CREATE TABLE stock (sku text PRIMARY KEY, available integer NOT NULL);
  INSERT INTO stock VALUES ('a', 1000)`;

const MAIN = `
import 'reflect-metadata';
import { ParticipantHost } from '@concordat/participant';
import { NestFactory } from '@nestjs/core';
import { createServer } from 'node:http';

interface Running { readiness(): Promise<{ ready: boolean }> }

const plain = {
${ORMS.filter((orm) => orm !== 'nestjs-cls')
  .map((orm) => `  '${orm}': () => import('./services/${orm}.js'),`)
  .join('\n')}
};

async function run(orm: string): Promise<Running> {
  if (orm === 'nestjs-cls') {
    const { StockModule } = await import('./services/nestjs-cls.js');
    const app = await NestFactory.createApplicationContext(StockModule);
    return app.get(ParticipantHost);
  }
  const service = await plain[orm as keyof typeof plain]();
  const participant = service.participant();
  await participant.start();
  return participant;
}

const running = await run(process.env['ORM'] ?? '');
createServer((_request, response) => {
  void running.readiness().then(({ ready }) => response.writeHead(ready ? 200 : 503).end());
}).listen(Number(process.env['PORT']), '127.0.0.1');
`;

/** The first program of a page. */
function programOf(orm: Orm): string {
  const page = readFileSync(join(ROOT, 'docs/adapters', `${orm}.md`), 'utf8');
  const [, program] = /^```ts\n([\s\S]*?)^```$/m.exec(page) ?? [];
  if (program === undefined) throw new Error(`docs/adapters/${orm}.md has no program`);
  return program;
}

/** What `prisma generate` makes of the schema of the page, which needs an engine from elsewhere. */
function prismaClient(): [path: string, text: string][] {
  const folder = join(ROOT, 'test/orms/prisma/generated');
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .map((path) => [`src/prisma/generated/${path}`, readFileSync(join(folder, path), 'utf8')]);
}

/** The versions that this repository has. */
function versionsOf(...names: string[]): Record<string, string> {
  const version = (name: string): string => {
    const path = join(ROOT, 'node_modules', name, 'package.json');
    return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version;
  };
  return Object.fromEntries(names.map((name) => [name, version(name)]));
}

export function ormHost(): HostKind {
  const programs = ORMS.map((orm) => [`src/services/${orm}.ts`, programOf(orm)] as const);
  return {
    name: 'orms',
    isModule: true,
    dependencies: {
      ...versionsOf(
        ...['drizzle-orm', 'kysely', 'knex', 'sequelize', 'pg', 'zod', 'typeorm'],
        ...['@mikro-orm/core', '@mikro-orm/postgresql', '@prisma/client', '@prisma/adapter-pg'],
        ...['@nestjs-cls/transactional', 'nestjs-cls', '@nestjs/common', '@nestjs/core'],
        ...['reflect-metadata', 'rxjs', '@types/node'],
      ),
      typescript: '5.9.3',
    },
    tsconfig: {
      compilerOptions: {
        target: 'ES2023',
        module: 'nodenext',
        strict: true,
        noUncheckedIndexedAccess: true,
        experimentalDecorators: true,
        emitDecoratorMetadata: true,
        skipLibCheck: true,
        types: ['node'],
        rootDir: 'src',
        outDir: 'dist',
      },
      include: ['src'],
    },
    files: Object.fromEntries([...programs, ...prismaClient(), ['src/main.ts', MAIN]]),
  };
}

/** A program that loads every adapter by `require` and by `import`, and prints which ones are not the same. */
export const LOAD_BOTH = `
  require('reflect-metadata');
  const names = ${JSON.stringify(ADAPTERS)};
  (async () => {
    const differ = [];
    for (const name of names) {
      const required = require(name);
      const imported = await import(name);
      const exported = Object.keys(required).filter((one) => /^[A-Za-z]/.test(one));
      const isSame = exported.length > 0 && exported.every((one) => imported[one] === required[one]);
      if (!isSame) differ.push(name);
    }
    console.log(JSON.stringify(differ));
  })();
`;
