/**
 * `concordat settle`: recovery of one service from outside of it, before it starts: as a step of its
 * deployment, or manually where a migration waits for a branch in doubt. Guards protocol §5: it carries out
 * what the coordinators say and nothing else, under the service's own name and role.
 */
import { DURATION_FORMS, durationText, parseDurationMs } from '@concordat/words';
import type { Settlement } from '@concordat/participant/standalone';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { ConfigurationRefused, serviceFromEnvironment, type ServiceOptions } from './cli.config.js';
import { ExitCode } from './terminal/exit-codes.js';
import { plain, table, toned, type Column } from './terminal/text.js';

interface SettleCommandOptions extends ServiceOptions {
  readonly schema: string;
  readonly wait: number;
  readonly json?: boolean;
}

const WAIT_MS = 30_000;

export function addSettleCommand(program: Command): void {
  const command = program.command('settle');
  command
    .description('finish what is in doubt of a service before it starts (exit 4 when some is left)')
    .option('--name <participant>', 'what transactions call it (default: PARTICIPANT_NAME)')
    .option('--database-url <url>', 'its database, as its role (default: DATABASE_URL)')
    .option('--nats-url <urls>', 'the broker, as it signs in there (default: NATS_URL)')
    .option('--cluster <id>', 'default: CONCORDAT_CLUSTER, else asked for on the broker')
    .option('--schema <schema>', 'of its outcome table', 'public')
    .addOption(
      new Option('--wait <time>', 'how long, e.g. 500ms, 30s, 5m')
        .argParser(millisecondsOf)
        .default(WAIT_MS, durationText(WAIT_MS)),
    )
    .option('--json', 'the answer as JSON')
    .action(async ({ wait, json, schema, ...given }: SettleCommandOptions) => {
      const service = serviceOf(command, given);
      // Loaded here: the other commands need no database driver.
      const { settleInDoubt } = await import('@concordat/participant/standalone');
      const say = (line: string): void => console.error(`concordat: ${plain(line)}`);
      const done = await settleInDoubt(
        {
          name: service.name,
          natsUrl: service.natsUrl.split(','),
          cluster: service.cluster,
          database: { url: service.databaseUrl },
          schema,
          log: { log: say, warn: say, error: say },
        },
        { waitMs: wait },
      );
      if (json) console.log(JSON.stringify(done, null, 2));
      else console.log(describeSettlement(service.name, done).join('\n'));
      if (done.left.length > 0) process.exitCode = ExitCode.attention;
    });
}

/** A missing option is reported as a wrong command line. */
function serviceOf(command: Command, given: ServiceOptions) {
  try {
    return serviceFromEnvironment(given);
  } catch (error) {
    if (error instanceof ConfigurationRefused) command.error(error.message);
    throw error;
  }
}

type Left = Settlement['left'][number];

const LEFT: readonly Column<Left>[] = [
  { title: 'GID', of: (one) => one.gid },
  { title: 'HELD', of: (one) => durationText(one.heldMs), right: true },
  { title: 'WHY', of: (one) => one.why, rest: true },
];

export function describeSettlement(name: string, { found, settled, left }: Settlement): string[] {
  if (found === 0) return [`Nothing of ${plain(name)} is in doubt.`];
  const told = `${settled} of ${found} branches of ${plain(name)} that were in doubt are settled.`;
  if (left.length === 0) return [told];
  return [toned('warning', told), ...table(LEFT, left)];
}

function millisecondsOf(text: string): number {
  const ms = parseDurationMs(text);
  if (ms !== undefined) return ms;
  throw new InvalidArgumentError(`Give ${DURATION_FORMS}.`);
}
