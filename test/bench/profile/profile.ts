/**
 * Where processor time goes while many clients make transactions: by process, by purpose of Postgres'
 * sessions, and inside each service by package and function, from profiles taken while the load runs.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { waitFor } from '@concordat/testing';
import pg from 'pg';
import { Arena } from '../compare/arena.js';
import { targetOf } from '../compare/ways.js';
import { processorTimes, used } from '../processor-time.js';
import { ROOT } from '../root.js';
import { LoadProcess } from '../turns.js';
import { summarise, type CpuProfile, type Spent } from './cpu-profile.js';

export interface ProfileOptions {
  readonly clients: number;
  readonly participants: number;
  readonly durationMs: number;
  /** Functions that are listed of each process. */
  readonly top: number;
  /** The checkout whose built services run; this one by default. */
  readonly root?: string;
  /** Where the `.cpuprofile` files stay; they are removed where it is not given. */
  readonly keep?: string;
}

const WARM_MS = 8_000;

/** Prints tables. */
export async function measureProfile(options: ProfileOptions): Promise<void> {
  const folder = options.keep ?? mkdtempSync(join(tmpdir(), 'concordat-profile-'));
  mkdirSync(folder, { recursive: true });
  const dist = resolve(ROOT, 'test/bench/dist');
  const load = LoadProcess.start('lean client', join(dist, 'compare/lean-client.js'));
  const arena = await Arena.open('concordat', {
    participants: options.participants,
    through: ['typeorm'],
    coordinators: 1,
    counting: false,
    ...(options.root === undefined ? {} : { root: options.root }),
    envOf: (name) => ({
      NODE_OPTIONS: `--import=${pathToFileURL(join(dist, 'profile/in-process.js')).href}`,
      PROFILE_TO: fileOf(folder, name),
    }),
  }).catch(async (error: unknown) => {
    await load.stop();
    throw error;
  });
  try {
    await profile(arena, load, folder, options);
  } finally {
    await Promise.all([arena.dispose(), load.stop()]);
    if (options.keep === undefined) rmSync(folder, { recursive: true, force: true });
  }
}

async function profile(
  arena: Arena,
  load: LoadProcess,
  folder: string,
  { clients, participants, durationMs, top }: ProfileOptions,
): Promise<void> {
  const turn = {
    target: targetOf('completed', arena),
    ...({ shape: 'write', through: 'typeorm' } as const),
    ...{ participants, clients },
  };
  await load.turn({ ...turn, durationMs: WARM_MS });
  // What a profile costs is not in the figures: they are of a turn before it.
  const before = await times(arena, load);
  const { completed, perSecond } = await load.turn({ ...turn, durationMs });
  const after = await times(arena, load);
  console.log(`${perSecond.toFixed(0)} transactions a second, ${clients} clients\n`);
  console.log('| Processor time | ms per transaction |\n| --- | --- |');
  for (const [name, ms] of after)
    console.log(`| ${name} | ${((ms - (before.get(name) ?? 0)) / completed).toFixed(3)} |`);
  const signal = (): void => {
    for (const one of arena.services) {
      if (!one.alive) throw new Error(`${one.name} has ended: ${one.output()}`);
      process.kill(one.pid, 'SIGWINCH');
    }
  };
  signal();
  const profiled = await load.turn({ ...turn, durationMs });
  signal();
  for (const { name } of arena.services) {
    const file = fileOf(folder, name);
    await waitFor(() => existsSync(file), { what: `the profile of ${name}` });
    const summary = summarise(JSON.parse(readFileSync(file, 'utf8')) as CpuProfile);
    const per = (ms: number): string => ((ms * 1_000) / profiled.completed).toFixed(1);
    console.log(`\n${name}: ${per(summary.busyMs)} µs per transaction while it is profiled`);
    tell('package, itself', summary.packages, summary.busyMs, per, top);
    tell('function, itself', summary.functions, summary.busyMs, per, top);
    tell('function, with what it calls', summary.inclusive, summary.busyMs, per, top * 2);
  }
}

function tell(
  what: string,
  all: readonly Spent[],
  busyMs: number,
  per: (ms: number) => string,
  top: number,
): void {
  console.log(`\n| ${what} | µs per transaction | % |\n| --- | --- | --- |`);
  for (const one of all.slice(0, top))
    console.log(`| ${one.what} | ${per(one.ms)} | ${((one.ms * 100) / busyMs).toFixed(1)} |`);
}

function fileOf(folder: string, name: string): string {
  return join(folder, `${name}.cpuprofile`);
}

/** Milliseconds by process so far; sessions of Postgres, which live as long as the arena, by their purpose. */
async function times(arena: Arena, load: LoadProcess): Promise<Map<string, number>> {
  const all = processorTimes(arena).set(load.name, used(load.pid));
  const session = new pg.Client({ connectionString: arena.postgres.url() });
  await session.connect();
  const { rows } = await session.query<{ pid: number; purpose: string }>(
    `SELECT pid, CASE WHEN datname = 'concordat' THEN application_name
                     ELSE COALESCE('sessions of ' || datname, backend_type) END AS purpose
       FROM pg_stat_activity WHERE pid <> pg_backend_pid()`,
  );
  await session.end();
  for (const { pid, purpose } of rows) {
    const name = `postgres, ${purpose}`;
    all.set(name, (all.get(name) ?? 0) + used(pid));
  }
  return all;
}
