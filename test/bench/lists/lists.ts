/**
 * How long the admin view's questions take with a full decision database: through the real coordinator,
 * over HTTP, on a Postgres of its own. Every round asks each question once, so that no answer is one
 * that was kept for a few seconds; the first answer, the best, the median and the worst are printed. The
 * coordinator works meanwhile as it would: it has taken over the commits on record and retries them.
 */
import { execFileSync } from 'node:child_process';
import { cpus, loadavg } from 'node:os';
import { openDecisionLog } from '@concordat/decision-log';
import { SystemClock } from '@concordat/participant';
import { embeddedStack, waitFor, type TestStack } from '@concordat/testing';
import { assertDurable } from '../durable.js';
import { median } from '../load.js';
import { makeKey, startApp } from '../stage.js';
import { fill, isFilled } from './filling.js';
import { DEEP, QUESTIONS, type Question } from './questions.js';

export interface ListsOptions {
  readonly transactions: number;
  readonly stuck: number;
  readonly rounds: number;
  /** So many commits may be retried meanwhile; absent, as many as the coordinator takes. */
  readonly live?: number;
  readonly dataDir?: string;
}

interface Page {
  readonly transactions?: readonly { readonly transactionId: string }[];
  readonly nextCursor?: string;
  readonly count?: { readonly value: number; readonly isMore: boolean };
  readonly recovery?: { readonly backlog: number };
}

interface Answer {
  readonly ms: number;
  readonly status: number;
  readonly body: Page;
}

type Ask = (path: string, body?: object) => Promise<Answer>;

/** Answers are kept for three seconds at most. */
const ROUND_MS = 3_200;
const PLANS = 5;
/** A step that takes so long is printed at once. */
const SLOW_MS = 500;
const SETTLED_MS = 300_000;
const SETTLING_MS = 10_000;
const DAY_MS = 86_400_000;

const POSTGRES = {
  shared_buffers: '1GB',
  max_wal_size: '2GB',
  checkpoint_timeout: '15min',
  wal_level: 'minimal',
  max_wal_senders: 0,
};

const say = (line: string): void => void process.stderr.write(`  ${line}\n`);

export async function measureLists(options: ListsOptions): Promise<void> {
  const { dataDir } = options;
  const stack = await embeddedStack({
    postgres: { settings: POSTGRES, ...(dataDir === undefined ? {} : { dataDir }) },
  });
  try {
    await assertDurable(stack.postgres.url());
    await fillOnce(stack, options);
    await measure(stack, options);
  } finally {
    await stack.dispose();
  }
}

/** A folder that was kept is filled already. */
async function fillOnce(stack: TestStack, { transactions, stuck }: ListsOptions): Promise<void> {
  const url = stack.databases.concordat;
  await (await openDecisionLog({ url, clock: new SystemClock() })).close();
  if (await isFilled(url)) return say('the folder is filled already');
  const began = performance.now();
  const superuser = stack.postgres.url('concordat');
  const size = await fill({ url: superuser, transactions, stuck, log: say });
  say(`filled: ${size} in ${((performance.now() - began) / 1_000).toFixed(0)} s`);
}

async function measure(stack: TestStack, { rounds, live }: ListsOptions): Promise<void> {
  const { key, sha256 } = makeKey();
  const { service, url } = await startApp(stack, 'coordinator', 'coordinator', {
    DATABASE_URL: stack.databases.concordat,
    CONCORDAT_OPERATOR_KEY_SHA256: sha256,
    CONCORDAT_RETENTION_MS: String(365 * DAY_MS),
    ...(live === undefined ? {} : { CONCORDAT_LIVE_MAX: String(live) }),
    LOG_LEVEL: 'error',
  });
  try {
    const ask = asking(url, key);
    await settled(ask);
    const questions = [...QUESTIONS, ...(await deepOnes(ask)), ...(await single(ask))];
    console.log(`${machine()}\n`);
    console.log('| Question | rows | first ms | best ms | median ms | worst ms |');
    console.log('| --- | --- | --- | --- | --- | --- |');
    const answers = await inRounds(ask, questions, rounds);
    for (const [question, all] of answers) console.log(line(question.about, all));
    console.log(line('freezing the selection of all that is stuck', await plans(ask)));
    console.log(`\n${machine()}`);
  } finally {
    await service.stop();
  }
}

/** Until it has taken over the commits without a finisher, or as many as it may. */
async function settled(ask: Ask): Promise<void> {
  let before: number | undefined;
  const isSettled = async (): Promise<boolean> => {
    const { backlog } = (await ask('/v1/admin/overview')).body.recovery ?? {};
    const isSame = backlog === 0 || backlog === before;
    before = backlog;
    return isSame;
  };
  await waitFor(isSettled, {
    what: 'the coordinator to have taken over the commits without a finisher',
    timeoutMs: SETTLED_MS,
    everyMs: SETTLING_MS,
  });
}

function asking(url: string, key: string): Ask {
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
  return async (path, sent) => {
    const began = performance.now();
    const response = await fetch(`${url}${path}`, {
      headers,
      ...(sent ? { method: 'POST', body: JSON.stringify(sent) } : {}),
    });
    const text = await response.text();
    const ms = performance.now() - began;
    return { ms, status: response.status, body: JSON.parse(text) as Page };
  };
}

/** Follows each list down; the question that is measured carries the cursor of where it ended. */
async function deepOnes(ask: Ask): Promise<Question[]> {
  const found: Question[] = [];
  for (const { about, path, rows } of DEEP) {
    let cursor = '';
    for (let seen = 0; seen < rows;) {
      const { body } = await ask(`${path}${cursor}`);
      seen += body.transactions?.length ?? rows;
      if (body.nextCursor === undefined) break;
      cursor = `&cursor=${body.nextCursor}`;
    }
    found.push({ about, path: `${path.replace('&limit=500', '')}${cursor}` });
  }
  return found;
}

async function single(ask: Ask): Promise<Question[]> {
  const one = async (about: string, query: string): Promise<Question[]> => {
    const { body } = await ask(`/v1/admin/transactions?${query}&limit=1`);
    const id = body.transactions?.[0]?.transactionId;
    return id === undefined ? [] : [{ about, path: `/v1/admin/transactions/${id}` }];
  };
  return [
    ...(await one('one transaction, stuck', 'view=stuck&status=committing')),
    ...(await one('one transaction, a fortnight old', 'view=all&olderThan=14d')),
  ];
}

async function inRounds(
  ask: Ask,
  questions: readonly Question[],
  rounds: number,
): Promise<Map<Question, Answer[]>> {
  const answers = new Map<Question, Answer[]>(questions.map((one) => [one, []]));
  for (let round = 1; round <= rounds; round++) {
    const began = performance.now();
    for (const [question, all] of answers) {
      const answer = await ask(question.path);
      if (answer.ms > SLOW_MS) say(`${question.about}: ${answer.ms.toFixed(0)} ms`);
      all.push(answer);
    }
    const left = ROUND_MS - (performance.now() - began);
    say(`round ${round} of ${rounds}, load ${loadavg()[0]?.toFixed(1) ?? '?'}`);
    if (left > 0) await new Promise((resolve) => setTimeout(resolve, left));
  }
  return answers;
}

async function plans(ask: Ask): Promise<Answer[]> {
  const made: Answer[] = [];
  for (let time = 0; time < PLANS; time++) {
    const body = { action: 'retry', filter: { view: 'stuck' }, reason: 'measured' };
    made.push(await ask('/v1/admin/operations', body));
  }
  return made;
}

function line(about: string, answers: readonly Answer[]): string {
  const times = answers.map(({ ms }) => ms);
  const failed = answers.filter(({ status }) => status >= 300).map(({ status }) => status);
  const rows = answers.at(-1)?.body.transactions?.length;
  const told =
    failed.length > 0 ? `${failed.length} answered ${failed.at(-1) ?? ''}` : (rows ?? '');
  const columns = [times[0] ?? NaN, Math.min(...times), median(times), Math.max(...times)].map(
    (ms) => ms.toFixed(0),
  );
  return `| ${about} | ${told} | ${columns.join(' | ')} |`;
}

function machine(): string {
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' });
  const load = loadavg().map((one) => one.toFixed(1));
  const cores = cpus();
  return `${new Date().toISOString()}, ${commit.trim()}, ${cores.length} x ${cores[0]?.model ?? ''}, load ${load.join(' ')}`;
}
