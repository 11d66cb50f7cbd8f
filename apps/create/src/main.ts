/** `npm create @concordat my-service`: writes a new service into a folder of its name. */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { CreationRefused, createService } from './create-service.js';
import { databaseOf } from './names.js';
import { DATABASE_ACCESS } from './new-service.js';

const HELP = `Usage: npm create @concordat@latest <name> [-- options]

Writes a NestJS service that takes part in transactions of Concordat into the folder <name>.

  --with <typeorm|pg>   how it works with its database (default: typeorm)
  --packages <folder>   take Concordat from the tarballs that "npm run pack" has made, not from the registry
  -V, --version         print the version
  -h, --help            print this
`;

const { version } = JSON.parse(
  readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
) as { readonly version: string };

function main(): void {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      with: { type: 'string', default: 'typeorm' },
      packages: { type: 'string' },
      version: { type: 'boolean', short: 'V' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  const [name, ...rest] = positionals;
  if (values.version) return void process.stdout.write(`${version}\n`);
  if (values.help) return void process.stdout.write(HELP);
  if (name === undefined || rest.length > 0) {
    throw new CreationRefused('give one name: npm create @concordat@latest my-service');
  }
  const access = DATABASE_ACCESS.find((one) => one === values.with);
  if (!access) {
    throw new CreationRefused(`--with ${values.with}: give one of ${DATABASE_ACCESS.join(', ')}`);
  }
  const { packages } = values;
  const folder = createService({ name, access, version, ...(packages ? { packages } : {}) });
  process.stdout.write(`Wrote ${folder}. Next:

  cd ${name}
  npm install
  npm test           # Postgres, NATS, a coordinator and the service, for real; no Docker

  npx @concordat/cli dev --database ${databaseOf(name)}   # something to run it against
`);
}

// What it prints may have no reader (`… | head`): that is discarded.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
try {
  main();
} catch (error) {
  process.stderr.write(
    `concordat-create: ${error instanceof Error ? error.message : String(error)}\n`,
  );
  process.exitCode = error instanceof CreationRefused || isUsage(error) ? 2 : 1;
}

/** What `parseArgs` says of an option that it does not know. */
function isUsage(error: unknown): boolean {
  return String((error as { code?: unknown }).code).startsWith('ERR_PARSE_ARGS');
}
