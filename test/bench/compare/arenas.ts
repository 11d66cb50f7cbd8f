/** Opens what the cases of a plan need, and pins processes where a coordinator gets a core of its own. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { openDecisionLog } from '@concordat/decision-log';
import { SystemClock } from '@concordat/participant';
import { assertDurable } from '../durable.js';
import { fill, isFilled } from '../lists/filling.js';
import type { LoadProcess } from '../turns.js';
import { Arena } from './arena.js';
import type { Case, Plan } from './plan.js';
import { THROUGH } from './shapes.js';
import { kindOf, WAYS, type ArenaName } from './ways.js';

export type Say = (line: string) => void;

export class Arenas {
  private readonly open = new Map<ArenaName, Arena>();

  /** What these cases run on. `counting`: through relays that count round trips. */
  static async for(
    cases: readonly Case[],
    plan: Plan,
    counting: boolean,
    say: Say,
  ): Promise<Arenas> {
    const arenas = new Arenas();
    try {
      for (const name of arenasOf(cases)) {
        // One transaction of the others takes the same steps.
        if (counting && name !== kindOf(name)) continue;
        say(`starting what ${name} runs on`);
        arenas.open.set(name, await openArena(name, cases, plan, counting, say));
      }
      return arenas;
    } catch (error) {
      await arenas.dispose();
      throw error;
    }
  }

  get all(): ReadonlyMap<ArenaName, Arena> {
    return this.open;
  }

  get(name: ArenaName): Arena {
    const arena = this.open.get(name);
    if (!arena) throw new Error(`${name} was not opened`);
    return arena;
  }

  /** Throws where a server is not, or no more, what it was asked to be before. */
  async assertDurable(): Promise<void> {
    for (const { postgres } of this.open.values()) await assertDurable(postgres.url());
  }

  async dispose(): Promise<void> {
    await Promise.all([...this.open.values()].map((one) => one.dispose()));
  }
}

export function arenasOf(cases: readonly Case[]): Set<ArenaName> {
  return new Set(cases.flatMap((one) => one.ways).map((one) => WAYS[one].arena));
}

const YEAR_MS = 365 * 86_400_000;

async function openArena(
  name: ArenaName,
  cases: readonly Case[],
  { logRows, logData }: Plan,
  counting: boolean,
  say: Say,
): Promise<Arena> {
  const arena = await Arena.open(kindOf(name), {
    participants: Math.max(...cases.map((one) => one.participants)),
    through: THROUGH.filter((through) => cases.some((one) => one.through === through)),
    coordinators: name === 'two-coordinators' ? 2 : 1,
    envOf: (): Record<string, string> => ({
      CONCORDAT_ONE_PHASE: name === 'one-phase' ? 'enabled' : 'disabled',
      // Its rows are up to a month old: they are to stay while it is measured.
      ...(name === 'full-log' ? { CONCORDAT_RETENTION_MS: String(YEAR_MS) } : {}),
    }),
    counting,
    ...(name === 'full-log' ? { fill: (owner, dba) => fillLog(owner, dba, logRows, say) } : {}),
    ...(name === 'full-log' && logData !== undefined ? { dataDir: logData } : {}),
  });
  if (name === 'own-core') pinAll(arena);
  return arena;
}

async function fillLog(owner: string, url: string, transactions: number, say: Say): Promise<void> {
  await (await openDecisionLog({ url: owner, clock: new SystemClock() })).close();
  if (await isFilled(url)) return say('the folder holds a full log already');
  const began = performance.now();
  const size = await fill({ url, transactions, stuck: 1, log: say });
  const seconds = ((performance.now() - began) / 1_000).toFixed(0);
  say(`the log holds ${transactions} transactions in ${size}, filled in ${seconds} s`);
}

const FIRST_CORE = '0';
const everyCore = (): string => `0-${cpus().length - 1}`;
const otherCores = (): string => `1-${cpus().length - 1}`;

function pinAll(arena: Arena): void {
  if (cpus().length < 2) throw new Error('a core of its own needs a second one: drop own-core');
  const others = [arena.postgres.pid, arena.nats?.pid, ...childrenOf(arena.postgres.pid)];
  for (const { name, pid } of arena.services) {
    if (name === 'coordinator') pin(pid, FIRST_CORE);
    else others.push(pid);
  }
  for (const pid of others) if (pid !== undefined) pin(pid, otherCores());
}

/** Keeps the load off the coordinator's core while it works for `own-core`. */
export function pinLoad(load: LoadProcess, name: ArenaName): void {
  pin(load.pid, name === 'own-core' ? otherCores() : everyCore());
}

function pin(pid: number, cores: string): void {
  execFileSync('taskset', ['-a', '-c', '-p', cores, String(pid)], { stdio: 'ignore' });
}

function childrenOf(parent: number | undefined): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
        return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === parent;
      } catch {
        return false; // It has ended since it was listed.
      }
    })
    .map(Number);
}
