/**
 * The commands for people on call: they mirror the admin view and use its API, so what they may
 * do and refuse to do is the same. Standard output is the answer, standard error everything else.
 */
import { DURATION_FORMS, parseDurationMs } from '@concordat/words';
import { ConcordatProblem, type AdminClient, type AdminView } from '@concordat/client';
import { InvalidArgumentError, Option, type Command } from 'commander';
import type { TargetOptions } from '../cli.config.js';
import { ExitCode } from '../terminal/exit-codes.js';
import { plain } from '../terminal/text.js';
import { act, confirm, describeResult, NotOffered, type ActOptions } from './act.js';
import { describeDoctor, describeOrphans, describeParticipants } from './surroundings.js';
import { describeList, describeTransaction, hasFindings } from './transactions.js';
import { untilStopped } from '../until-stopped.js';
import { watch } from './watch.js';

export interface AdminCommandParts {
  readonly clientOf: (options: TargetOptions) => Promise<AdminClient>;
}

interface Output extends TargetOptions {
  readonly json?: boolean;
}

const VIEWS = ['stuck', 'in-doubt', 'deciding', 'heuristic', 'recent-aborts', 'all'] as const;
const LIMIT_MAX = 500;
/** Commands that change something: they need more than a look. */
const ACTING: ReadonlySet<string> = new Set(['retire', 'retry', 'abort', 'acknowledge', 'finish']);
/** A branch with any other result is not reported as finished. */
const FINISHED: ReadonlySet<string> = new Set(['done', 'nothing-to-do']);

export function addAdminCommands(program: Command, parts: AdminCommandParts): void {
  addLooking(program, parts);
  addSurroundings(program, parts);
  addActing(program, parts);
  addOrphanFinish(program, parts);
}

interface ListOptions extends Output {
  readonly view: AdminView;
  readonly participant?: string;
  readonly label?: string;
  readonly olderThan?: string;
  readonly limit: number;
  readonly cursor?: string;
}

function addLooking(program: Command, { clientOf }: AdminCommandParts): void {
  withTarget(program.command('stuck'))
    .description('list what is stuck, worst first (exit 4 when something is)')
    .addOption(new Option('--view <view>', 'another saved view').choices(VIEWS).default('stuck'))
    .option('--participant <name>', 'only with a branch there')
    .option('--label <label>', 'only of this label')
    .option('--older-than <age>', 'only older than this, e.g. 5m, 2h, 1d', ageOf)
    .option('--limit <n>', `rows, 1 to ${LIMIT_MAX}`, limitOf, 50)
    .option('--cursor <cursor>', 'the page after an earlier one')
    .action(async ({ url, key, json, ...request }: ListOptions) => {
      const client = await clientOf({ url, key });
      const list = await client.transactions(request);
      // A mistyped name has no transactions: that is no good news, but a problem that says which are known.
      const isEmpty = list.transactions.length === 0 && request.cursor === undefined;
      if (isEmpty && request.participant !== undefined)
        await client.participant(request.participant);
      say(json, list, () => describeList(list, request.view, request));
      const isAlarm = request.view === 'stuck' || request.view === 'heuristic';
      if (isAlarm && hasFindings(list)) process.exitCode = ExitCode.attention;
    });

  withTarget(program.command('show'))
    .description('one transaction: why it is stuck, what happens next, what it holds, what to do')
    .argument('<id>', 'transaction id')
    .option('--events', 'its timeline as well')
    .action(async (id: string, { events, json, ...target }: Output & { events?: boolean }) => {
      const known = await (await clientOf(target)).transaction(id);
      say(json, known, () => describeTransaction(known, events === true));
    });

  withTarget(program.command('watch'))
    .description('what is stuck, again after every change, until Ctrl-C')
    .option('--limit <n>', `rows, 1 to ${LIMIT_MAX}`, limitOf, 20)
    .action(async ({ limit, json, ...target }: Output & { limit: number }) => {
      if (json) throw new InvalidArgumentError('watch is for people; scripts ask `stuck --json`.');
      const client = await clientOf(target);
      const clear = process.stdout.isTTY ? ['\u{1b}[2J\u{1b}[H'] : [];
      await untilStopped(async (stopped) => {
        const stop = new AbortController();
        void stopped.then(() => stop.abort());
        await watch(client, {
          limit,
          signal: stop.signal,
          write: (lines) => print([...clear, ...lines]),
          complain: (line) => console.error(`concordat: ${plain(line)}`),
        });
      });
    });
}

function addSurroundings(program: Command, { clientOf }: AdminCommandParts): void {
  withTarget(program.command('participants'))
    .description('who takes part: state, in-doubt branches, free slots, last error')
    .action(async ({ json, ...target }: Output) => {
      const list = await (await clientOf(target)).participants();
      say(json, list, () => describeParticipants(list));
    });

  withTarget(program.command('retire'))
    .description('take a permanently gone participant off the list, until it answers again')
    .argument('<name>', 'of the participant')
    .option('--reason <text>', 'why; kept in the audit')
    .option('--ticket <ticket>', 'what it belongs to; kept in the audit')
    .option('--yes', 'do not ask')
    .action(async (name: string, { json, url, key, yes, ...said }: Output & ActOptions) => {
      const client = await clientOf({ url, key });
      const { actions, etag } = await client.participant(name);
      const offered = actions.find((one) => one.action === 'retire');
      if (!offered?.offered) throw new NotOffered(offered?.because ?? 'It is not offered now.');
      if (!said.reason) throw new NotOffered('Say why: --reason "…". It is kept in the audit.');
      if (!yes) await confirm(offered.consequence);
      const { reason, ticket } = said;
      const request = { reason, ...(ticket === undefined ? {} : { ticket }) };
      const result = await client.retire(name, request, etag).catch(staleOf);
      say(json, result, () => [plain(result.summary), `  audit ${result.auditId}`]);
    });

  withTarget(program.command('orphans'))
    .description(
      'branches that databases and register disagree about (exit 4 when there are, or may be, some)',
    )
    .action(async ({ json, ...target }: Output) => {
      const list = await (await clientOf(target)).orphans();
      say(json, list, () => describeOrphans(list));
      const isDark = list.comparedAt === undefined || list.notCompared.length > 0;
      if (isDark || list.orphans.length > 0) process.exitCode = ExitCode.attention;
    });

  withTarget(program.command('doctor'))
    .description(
      'every setting that two-phase commit depends on, with the remedy (exit 4 when bad or not known)',
    )
    .option('--all', 'what is in order as well')
    .action(async ({ json, all, ...target }: Output & { all?: boolean }) => {
      const found = await (await clientOf(target)).doctor();
      say(json, found, () => describeDoctor(found, all === true));
      const isAlarm = found.checks.some(({ result }) => result === 'bad' || result === 'unknown');
      if (isAlarm) process.exitCode = ExitCode.attention;
    });
}

function addActing(program: Command, { clientOf }: AdminCommandParts): void {
  const commands = [
    ['retry', 'retry', 'deliver the decision again now, to one branch or to all that wait'],
    ['abort', 'abort', 'abort a transaction that is not decided'],
    ['acknowledge', 'acknowledge', 'record how a heuristic outcome was reconciled'],
  ] as const;
  for (const [name, action, description] of commands) {
    const command = withTarget(program.command(name))
      .description(description)
      .argument('<id>', 'transaction id')
      .option('--reason <text>', 'why; kept in the audit')
      .option('--ticket <ticket>', 'what it belongs to; kept in the audit');
    if (action === 'retry') command.option('--branch <number>', 'this branch only');
    else command.option('--yes', 'do not ask');
    command.action(async (id: string, { json, url, key, ...options }: Output & ActOptions) => {
      const result = await act(await clientOf({ url, key }), id, action, options).catch(staleOf);
      say(json, result, () => describeResult(result));
      if (result.branches.some(({ result: one }) => one === 'refused')) {
        process.exitCode = ExitCode.failed;
      } else if (result.branches.some(({ result: one }) => !FINISHED.has(one))) {
        process.exitCode = ExitCode.attention;
      }
    });
  }
}

interface FinishOptions extends Output {
  readonly participant: string;
  readonly reason?: string;
  readonly ticket?: string;
  readonly yes?: boolean;
}

function addOrphanFinish(program: Command, { clientOf }: AdminCommandParts): void {
  withTarget(program.command('finish'))
    .description('finish an orphan as the register says')
    .argument('<gid>', 'as `concordat orphans` lists it')
    .requiredOption('--participant <name>', 'where it is')
    .option('--reason <text>', 'why; kept in the audit')
    .option('--ticket <ticket>', 'what it belongs to; kept in the audit')
    .option('--yes', 'do not ask')
    .action(async (gid: string, { json, url, key, yes, ...said }: FinishOptions) => {
      const client = await clientOf({ url, key });
      const { orphans } = await client.orphans();
      const orphan = orphans.find((one) => one.gid === gid && one.participant === said.participant);
      const offered = orphan?.actions.find((one) => one.action === 'finish');
      if (!orphan || !offered?.offered) {
        throw new NotOffered(
          offered?.because ?? `No orphan ${gid} is known at ${said.participant}; nothing was done.`,
        );
      }
      if (!yes) await confirm(offered.consequence);
      const request = { ...said, gid, action: 'finish' } as const;
      const result = await client.actOnOrphan(request, orphan.etag).catch(staleOf);
      say(json, result, () => [plain(result.summary), `  audit ${result.auditId}`]);
      if (result.result !== 'done') process.exitCode = ExitCode.failed;
    });
}

function withTarget(command: Command): Command {
  const scope = ACTING.has(command.name()) ? 'operator' : 'viewer';
  return command
    .option('--url <url>', 'coordinator (default: CONCORDAT_URL, else the development stack)')
    .option(
      '--key <key>',
      `key of scope ${scope} or above (default: CONCORDAT_ADMIN_KEY, else the development stack’s)`,
    )
    .option('--json', 'the answer as JSON');
}

/** The entity tag was old: another action came first, or it went on by itself. */
export class ChangedMeanwhile extends Error {
  override readonly name = 'ChangedMeanwhile';
}

function staleOf(error: unknown): never {
  if (error instanceof ConcordatProblem && error.status === 412) {
    throw new ChangedMeanwhile(`${error.message} Nothing was done; look again and repeat.`);
  }
  throw error;
}

/** As it was written: the coordinator reads it by the same rules. */
function ageOf(text: string): string {
  if (parseDurationMs(text) !== undefined) return text;
  throw new InvalidArgumentError(`Give ${DURATION_FORMS}.`);
}

function limitOf(text: string): number {
  const limit = Number(text);
  if (Number.isInteger(limit) && limit >= 1 && limit <= LIMIT_MAX) return limit;
  throw new InvalidArgumentError(`Give a whole number from 1 to ${LIMIT_MAX}.`);
}

function say(json: boolean | undefined, value: unknown, inWords: () => readonly string[]): void {
  if (json) console.log(JSON.stringify(value, null, 2));
  else print(inWords());
}

function print(lines: readonly string[]): void {
  console.log(lines.join('\n'));
}
