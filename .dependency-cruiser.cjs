/**
 * The layers, as rules. Imports go down only and through a package's index; each message says what
 * to do instead.
 */
const { readFileSync } = require('node:fs');
const { join } = require('node:path');

const lower = {
  protocol: [],
  words: [],
  engine: ['protocol', 'words'],
  'decision-log': ['protocol', 'words', 'engine'],
  api: ['protocol', 'words'],
  diagnosis: ['protocol', 'words', 'api', 'engine'],
  channel: ['protocol', 'words', 'engine'],
  participant: ['protocol', 'words', 'engine', 'channel'],
  client: ['protocol'],
  'client-nest': ['client'],
  testing: ['words'],
};
const ORMS = 'drizzle|kysely|knex|sequelize|mikro-orm|prisma|nestjs-cls';
const spec = '\\.(e2e-)?spec\\.ts$';

/** The folders of the coordinator as ARCHITECTURE.md draws them, from the top; a line is one floor. */
const drawing = readFileSync(join(__dirname, 'ARCHITECTURE.md'), 'utf8');
const [, drawn = ''] = /```\napps\/coordinator\/src\n([\s\S]*?)```/.exec(drawing) ?? [];
const floors = drawn
  .split('\n')
  .map((line) => [...line.slice(0, 40).matchAll(/(\w+)\//g)].map(([, name]) => name))
  .filter((names) => names.length > 0);
if (floors.length < 2) throw new Error('ARCHITECTURE.md draws no folders of the coordinator');

module.exports = {
  forbidden: [
    {
      name: 'no-circular',
      severity: 'error',
      comment: 'Two files need each other: move what both need into a third, below both.',
      from: {},
      to: { circular: true },
    },
    ...Object.entries(lower).map(([name, allowed]) => ({
      name: `layer-${name}`,
      severity: 'error',
      comment: `libs/${name} may import only ${allowed.join(', ') || 'nothing of ours'}: move the code to the layer that may, or ask for it through a port.`,
      from: { path: `^libs/${name}/src`, pathNot: spec },
      to: {
        path: '^(libs|apps|test)/',
        pathNot: [
          `^libs/${name}/`,
          ...allowed.map((one) => `^libs/${one}/(src|dist)/index\\.(ts|d\\.ts|js)$`),
        ],
      },
    })),
    {
      name: 'layer-of-orms',
      severity: 'error',
      comment:
        'An adapter of an ORM imports of ours only libs/participant, without Nest: what it needs besides belongs there.',
      from: { path: `^libs/participant-(${ORMS})/src`, pathNot: spec },
      to: {
        path: '^(libs|apps|test)/',
        pathNot: [
          `^libs/participant-(${ORMS})/`,
          '^libs/participant/(src|dist)/standalone\\.(ts|d\\.ts|js)$',
        ],
      },
    },
    {
      name: 'libs-import-no-app',
      severity: 'error',
      comment: 'A library that needs an app has its code in the wrong place: move it down.',
      from: { path: '^libs/' },
      to: { path: '^(apps|test)/', pathNot: '^test/conformance/' },
    },
    {
      name: 'apps-do-not-meet',
      severity: 'error',
      comment: 'Apps never import one another: what they share belongs into a library.',
      from: { path: '^apps/([^/]+)/' },
      to: { path: '^apps/([^/]+)/', pathNot: '^apps/$1/' },
    },
    ...floors.flatMap((names, floor) =>
      names.map((name) => ({
        name: `coordinator-${name}`,
        severity: 'error',
        comment: `apps/coordinator/src/${name} may import only what ARCHITECTURE.md draws below it: ${
          floors
            .slice(floor + 1)
            .flat()
            .join(', ') || 'nothing'
        }. Move the code, or ask for a port that is declared below.`,
        from: { path: `^apps/coordinator/src/${name}/`, pathNot: spec },
        to: {
          path: '^apps/coordinator/src/',
          pathNot: [name, ...floors.slice(floor + 1).flat()].map(
            (one) => `^apps/coordinator/src/${one}/`,
          ),
        },
      })),
    ),
    {
      name: 'admin-view-imports-types-only',
      severity: 'error',
      comment:
        'The admin view runs in a browser: of ours it may import only types of libs/client (`import type`), and libs/words.',
      from: { path: '^apps/admin/src', pathNot: spec },
      to: {
        path: '^(libs|test)/',
        pathNot: '^libs/(client|words)/(src|dist)/index\\.(ts|d\\.ts|js)$',
      },
    },
    {
      name: 'admin-view-runs-in-a-browser',
      severity: 'error',
      comment: 'There is no Node in a browser: use what the platform offers there.',
      from: { path: '^apps/admin/src', pathNot: spec },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'through-the-index',
      severity: 'error',
      comment:
        'Import another package through its index (libs/participant has two more: standalone, without Nest, and testing/index); export there what you need.',
      from: { path: '^(apps|libs)/([^/]+)/' },
      to: {
        path: '^libs/([^/]+)/(src|dist)/',
        pathNot: [
          '^$1/$2/',
          '^libs/[^/]+/(src|dist)/index\\.(ts|d\\.ts|js)$',
          '^libs/participant/(src|dist)/(standalone|testing/index)\\.(ts|d\\.ts|js)$',
        ],
      },
    },
    {
      name: 'nest-from-layer-2-up',
      severity: 'error',
      comment: 'Protocol and engine know no framework: wire them in an app or in libs/participant.',
      from: { path: '^libs/(protocol|words|api|diagnosis|engine|client)/' },
      to: { path: 'node_modules/@nestjs/' },
    },
    {
      name: 'drivers-in-their-rooms',
      severity: 'error',
      comment:
        'pg and typeorm live in decision-log, participant, testing and the example apps: go through a port.',
      from: {
        path: '^(libs|apps)/',
        pathNot: [
          `^libs/(decision-log|participant|participant-(${ORMS})|testing)/`,
          '^apps/(ledger|inventory|cli)/',
          spec,
        ],
      },
      to: { path: 'node_modules/(pg|typeorm|@nestjs/typeorm)/' },
    },
    {
      name: 'a-start-loads-no-documentation',
      severity: 'error',
      comment:
        'A coordinator starts without Swagger and Express (ADR 55): describe routes with platform/described, and load what serves files with `await import(…)`.',
      from: { path: '^apps/coordinator/src/', pathNot: spec },
      to: {
        path: 'node_modules/@nestjs/(swagger|platform-express)/',
        dependencyTypesNot: ['type-only'],
        dynamic: false,
      },
    },
    {
      name: 'a-start-loads-no-typeorm',
      severity: 'error',
      comment:
        'A coordinator whose database is up to date starts without TypeORM (ADR 55): only apply-migrations imports it, and is itself imported with `await import(…)`.',
      from: { path: '^libs/decision-log/src/', pathNot: [spec, 'src/apply-migrations\\.ts$'] },
      to: {
        path: ['node_modules/typeorm/', '^libs/decision-log/src/apply-migrations\\.ts$'],
        dependencyTypesNot: ['type-only'],
        dynamic: false,
      },
    },
    {
      name: 'a-command-loads-no-stack',
      severity: 'error',
      comment:
        'A command that asks a coordinator starts at once: what runs servers or opens databases is loaded with `await import(…)` by the command that needs it.',
      from: {
        path: '^apps/cli/src/((main|settle|transfer|cli\\.config)\\.ts|admin/|terminal/|dev/(dev-file|example|ledgers|places|progress|topology)\\.ts)',
        pathNot: spec,
      },
      to: {
        path: [
          '^apps/cli/src/(dev/dev-stack|demo/)',
          '^libs/(testing|channel|participant|decision-log)/',
          'node_modules/(pg|typeorm|@nestjs|@nats-io)/',
        ],
        dependencyTypesNot: ['type-only'],
        dynamic: false,
      },
    },
    {
      name: 'examples-use-packages',
      severity: 'error',
      comment:
        'An example is a service of somebody else: it imports our packages by their entries, and no other example.',
      from: { path: '^examples/([^/]+)/' },
      to: {
        path: '^(apps|test|examples|libs/[^/]+/src)/',
        pathNot: ['^examples/$1/', '^libs/[^/]+/src/(index|standalone)\\.ts$'],
      },
    },
    {
      name: 'nats-in-the-channel',
      severity: 'error',
      comment:
        'The NATS client lives in libs/channel: use ParticipantChannel or CoordinatorChannel.',
      from: { path: '^(libs|apps)/', pathNot: ['^libs/channel/', spec] },
      to: { path: 'node_modules/@nats-io/' },
    },
    {
      name: 'no-node-below-layer-2',
      severity: 'error',
      comment: 'Protocol and engine are pure: time, randomness and input come through ports.',
      from: { path: '^libs/(protocol|words|api|diagnosis|engine)/src', pathNot: spec },
      to: { dependencyTypes: ['core'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(?!node_modules/).*/(dist|generated|templates)/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'test/tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['concordat-source', 'import', 'require', 'node', 'default', 'types'],
      extensions: ['.ts', '.tsx', '.js', '.mjs', '.cjs', '.json'],
    },
  },
};
