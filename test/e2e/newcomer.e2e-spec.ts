/**
 * A newcomer, who does what README, quick start and REST guide say and nothing else: each block of shell is run as it
 * is written, in order, in one shell, and each block of JSON behind one is what it must print.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { freePort, waitFor } from '@concordat/testing';

const ROOT = resolve(import.meta.dirname, '../..');
const START = join(ROOT, 'apps/cli/bootstrap/start.mjs');
const STARTS_WITHIN_MS = 150_000;

interface Step {
  readonly script: string;
  /** What it prints, where the page says so. */
  readonly answer?: unknown;
}

/** The shell blocks of a page's section, or of the whole page, each with the JSON that follows it. */
function stepsOf(page: string, section?: string): Step[] {
  const from = section === undefined ? 0 : page.indexOf(`\n## ${section}\n`);
  if (from < 0) throw new Error(`the page has no section "${section}"`);
  const to = section === undefined ? undefined : page.indexOf('\n## ', from + 1);
  const blocks = page.slice(from, to).matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm);
  const steps: Step[] = [];
  for (const [, language, text = ''] of blocks) {
    if (language === 'sh') steps.push({ script: text });
    const last = steps.at(-1);
    if (language === 'json' && last) {
      steps[steps.length - 1] = { ...last, answer: JSON.parse(text) as unknown };
    }
  }
  return steps;
}

/** A page's answer as a matcher: `…` is anything, and more fields than are shown may come. */
function matcherOf(shown: unknown): unknown {
  if (shown === '…') return expect.anything();
  if (Array.isArray(shown)) return shown.map(matcherOf);
  if (typeof shown !== 'object' || shown === null) return shown;
  const fields = Object.entries(shown).map(([name, value]) => [name, matcherOf(value)] as const);
  return expect.objectContaining(Object.fromEntries(fields));
}

describe('A newcomer', () => {
  let home: string;
  let port: string;
  let stack: ChildProcess;
  let shell: ChildProcess | undefined;
  let said = '';
  let printed = '';

  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'concordat-newcomer-'));
    port = String(await freePort());
    const { PATH = '', HOME = '' } = process.env;
    const env = {
      PATH,
      HOME,
      CONCORDAT_DATA_DIR: join(home, '.concordat'),
      CONCORDAT_PORT: port,
      CONCORDAT_NATS_PORT: String(await freePort()),
      CONCORDAT_POSTGRES_PORT: String(await freePort()),
      CONCORDAT_LEDGER_EAST_PORT: String(await freePort()),
      CONCORDAT_LEDGER_WEST_PORT: String(await freePort()),
      CONCORDAT_INVENTORY_PORT: String(await freePort()),
    };
    stack = spawn(process.execPath, [START], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    stack.stdout?.on('data', (chunk: Buffer) => (said += chunk.toString('utf8')));
    stack.stderr?.on('data', (chunk: Buffer) => (said += chunk.toString('utf8')));
    await waitFor(() => /Ready after/.test(said) || stack.exitCode !== null, {
      what: 'the stack to be ready',
      timeoutMs: STARTS_WITHIN_MS,
    });
    expect(said).toMatch(/Ready after/);
    shell = spawn('bash', ['-s'], { cwd: home, env, stdio: ['pipe', 'pipe', 'inherit'] });
    shell.stdout?.on('data', (chunk: Buffer) => (printed += chunk.toString('utf8')));
  }, STARTS_WITHIN_MS + 30_000);

  afterAll(async () => {
    shell?.stdin?.end();
    const ended = new Promise((done) => stack.once('close', done));
    stack.kill('SIGTERM');
    await ended;
    await rm(home, { recursive: true, force: true });
  }, 60_000);

  /** Runs one block where the pages say `localhost:7400`, and returns what it printed. */
  async function run(script: string): Promise<string> {
    printed = '';
    const end = `--- ${String(Math.random())} ---`;
    shell?.stdin?.write(
      `${script.replaceAll('localhost:7400', `localhost:${port}`)}\necho; echo '${end}'\n`,
    );
    await waitFor(() => printed.includes(end), {
      what: `this to end:\n${script}`,
      timeoutMs: 60_000,
    });
    return printed.slice(0, printed.indexOf(end)).trim();
  }

  async function follow(steps: readonly Step[]): Promise<void> {
    for (const { script, answer } of steps) {
      const text = await run(script);
      if (answer !== undefined) expect(JSON.parse(text)).toEqual(matcherOf(answer));
    }
  }

  it('makes the first transaction of the README, and gets both balances', async () => {
    const [key, transfer] = stepsOf(
      await readFile(join(ROOT, 'README.md'), 'utf8'),
      'A first transaction',
    ).flatMap(({ script }) => script.split('\n\n'));
    await run(key ?? '');
    const answer = JSON.parse(await run(transfer ?? '')) as Record<string, unknown>;
    expect(answer).toMatchObject({
      decision: 'commit',
      branches: [
        { outputs: [{ balance: expect.any(Number) }] },
        { outputs: [{ balance: expect.any(Number) }] },
      ],
    });
  }, 90_000);

  it('crashes two processes as the quick start says, and sees that nothing is lost', async () => {
    const steps = stepsOf(await readFile(join(ROOT, 'docs/quick-start.md'), 'utf8'));
    expect(steps.filter((step) => step.answer !== undefined)).toHaveLength(2);
    await follow(steps);
  }, 180_000);

  it('does what the REST guide says, and gets each answer that it shows', async () => {
    const steps = stepsOf(await readFile(join(ROOT, 'docs/rest-guide.md'), 'utf8'));
    expect(steps.filter((step) => step.answer !== undefined)).toHaveLength(5);
    await follow(steps);
  }, 180_000);
});
