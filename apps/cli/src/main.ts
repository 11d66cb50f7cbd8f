#!/usr/bin/env node
/** `concordat`: the development stack and a command line for a coordinator. */
import { readFileSync } from 'node:fs';
import { AdminClient, ConcordatClient, TransactionAborted } from '@concordat/client';
import { outliveReaders } from '@concordat/words';
import { Argument, Command, CommanderError, InvalidArgumentError } from 'commander';
import { addAdminCommands, ChangedMeanwhile } from './admin/commands.js';
import {
  COORDINATORS_MAX,
  readDevConfig,
  targetFromEnvironment,
  type TargetOptions,
} from './cli.config.js';
import { readDevFile } from './dev/dev-file.js';
import { EXAMPLE } from './dev/example.js';
import { LEDGERS } from './dev/ledgers.js';
import { baseFolder } from './dev/places.js';
import { addSettleCommand } from './settle.js';
import { EXIT_CODES_HELP, ExitCode } from './terminal/exit-codes.js';
import { describeTransfer, transfer } from './transfer.js';
import { untilStopped } from './until-stopped.js';

const base = baseFolder();

/** The version of this package; all of them are released together. */
function ownVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { readonly version: string }).version;
}

const program = new Command('concordat')
  .description('Two-phase commit across services that each own a Postgres database.')
  .version(ownVersion(), '-V, --version', 'print the version')
  .addHelpText('after', EXIT_CODES_HELP)
  .exitOverride(); // Set first: the commands below inherit it.

program
  .command('dev')
  .description('start Postgres, NATS, a coordinator and three example services, and transfer once')
  .option('--coordinators <number>', 'how many coordinators', coordinatorsOf, 1)
  .option(
    '--database <name>',
    'make a database for a service of yours (may be repeated)',
    databases,
  )
  .action((options: { readonly coordinators: number; readonly database?: readonly string[] }) =>
    untilStopped(async (stopped) => {
      const { coordinators, database } = options;
      const config = readDevConfig(base, undefined, coordinators, database);
      const { runDevStack } = await import('./dev/dev-stack.js');
      return runDevStack(config, LEDGERS, stopped);
    }),
  );

program
  .command('example', { hidden: true }) // of a clone: `npm run example`
  .description('start the services of examples/ instead: order, stock and payment')
  .action(() =>
    untilStopped(async (stopped) => {
      const { runDevStack } = await import('./dev/dev-stack.js');
      return runDevStack(readDevConfig(base), EXAMPLE, stopped);
    }),
  );

program
  .command('demo')
  .description('make six kinds of trouble on the running development stack')
  .addArgument(new Argument('<what>').choices(['stuck']))
  .action(() =>
    untilStopped(async (stopped) => {
      const { runDemoStuck } = await import('./demo/demo-stuck.js');
      return runDemoStuck(readDevConfig(base).dataDir, stopped);
    }),
  );

program
  .command('transfer')
  .description('move money between two ledgers in one transaction (exit 0 committed, 3 aborted)')
  .argument('<from>', 'account to debit, e.g. alice@ledger-east', accountAt)
  .argument('<to>', 'account to credit, e.g. bob@ledger-west', accountAt)
  .argument('<amount>', 'minor units, a whole number of at least 1', amountOf)
  .option('--url <url>', 'coordinator (default: CONCORDAT_URL, else the development stack)')
  .option('--key <key>', 'API key (default: CONCORDAT_API_KEY, else the development stack’s)')
  .action(async (from: AccountAt, to: AccountAt, amount: number, options: TargetOptions) => {
    const client = await clientOf(options);
    const what = {
      from: from.participant,
      debit: from.account,
      to: to.participant,
      credit: to.account,
      amount,
    };
    const done = await transfer(client, what);
    for (const line of describeTransfer(what, done)) console.log(line);
  });

addSettleCommand(program);

addAdminCommands(program, {
  clientOf: async (options) => new AdminClient(await targetOf(options, 'admin')),
});

interface AccountAt {
  readonly account: string;
  readonly participant: string;
}

function accountAt(text: string): AccountAt {
  const [account, participant, ...rest] = text.split('@');
  if (account && participant && rest.length === 0) return { account, participant };
  throw new InvalidArgumentError('Write it as account@service, e.g. alice@ledger-east.');
}

function amountOf(text: string): number {
  const amount = Number(text);
  if (Number.isSafeInteger(amount) && amount >= 1) return amount;
  throw new InvalidArgumentError('Give a whole number of minor units, at least 1.');
}

function databases(name: string, before: readonly string[] = []): readonly string[] {
  if (/^[a-z][a-z0-9_]{0,62}$/.test(name)) return [...before, name];
  throw new InvalidArgumentError('Write its name as [a-z][a-z0-9_]*, at most 63 characters.');
}

function coordinatorsOf(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1 && count <= COORDINATORS_MAX) return count;
  throw new InvalidArgumentError(`Give a whole number from 1 to ${COORDINATORS_MAX}.`);
}

async function clientOf(options: TargetOptions): Promise<ConcordatClient> {
  return new ConcordatClient(await targetOf(options, 'client'));
}

async function targetOf(
  options: TargetOptions,
  scope: 'client' | 'admin',
): Promise<{ url: string | readonly string[]; apiKey: string }> {
  const environment = targetFromEnvironment(scope);
  const dev = await readDevFile(readDevConfig(base).dataDir);
  const url = options.url ?? environment.url ?? dev?.coordinatorUrl;
  // A key of the development stack is not sent to another coordinator.
  const devKey = scope === 'admin' ? dev?.adminKey : dev?.apiKey;
  const apiKey =
    options.key ?? environment.key ?? (url === dev?.coordinatorUrl ? devKey : undefined);
  // The development stack may run several coordinators, and one of them may be down on purpose.
  if (url && apiKey)
    return { url: url === dev?.coordinatorUrl ? dev.coordinatorUrls : url, apiKey };
  const variable = scope === 'admin' ? 'CONCORDAT_ADMIN_KEY' : 'CONCORDAT_API_KEY';
  throw new Error(
    url
      ? `No key for ${String(url)} is known: give --key, or set ${variable}. The keys of the development stack are sent to its own coordinators only.`
      : `No coordinator is known: start one with "npm start" (outside of a clone "npx @concordat/cli dev"), or give --url and --key (CONCORDAT_URL, ${variable}).`,
  );
}

function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof TransactionAborted) return ExitCode.aborted;
  if (error instanceof ChangedMeanwhile) return ExitCode.changed;
  return ExitCode.failed;
}

/** Without a reader (`concordat … | head`) a command goes on to its own end; output lost otherwise is a failure. */
function outputLost(error: Error & { readonly code?: string }): void {
  if (error.code === 'EPIPE') return;
  console.error(`concordat: the output is lost: ${error.message}`);
  process.exitCode = ExitCode.failed;
}

outliveReaders([process.stdout], outputLost);
outliveReaders([process.stderr]);
try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    if (error.exitCode !== 0) process.exitCode = ExitCode.usage; // It has said why.
  } else {
    console.error(`concordat: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = exitCodeOf(error);
  }
}
// The command is over. A socket that a driver forgot (of a broker that never greeted, say) does not keep the process.
for (const stream of [process.stdout, process.stderr]) {
  await new Promise<unknown>((written) => stream.write('', written));
}
process.exit();
