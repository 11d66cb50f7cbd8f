/** The named faults: what goes wrong in production, and the tests that bring each about. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import type { Case } from '../cases/case.js';
import { OF_A_PARTICIPANT, OF_A_SERVER, OF_THE_COORDINATOR } from '../crash/kill.cases.js';
import { AGAIN_AND_AGAIN, ONE_COORDINATOR, TWO_COORDINATORS } from './coordinator.cases.js';
import { DATABASES } from './databases.cases.js';
import { MESSAGES } from './messages.cases.js';
import { HALF_OPEN } from './network.cases.js';
import { PARTICIPANTS } from './participant.cases.js';
import { registerCases } from './register.cases.js';
import { storageCases } from './storage.cases.js';

const ROOT = resolve(import.meta.dirname, '../..');

export const SCENARIOS: Readonly<Record<string, string>> = {
  S1: 'a coordinator dies after it has begun',
  S2: 'a coordinator dies with one of three prepares sent',
  S3: 'a coordinator dies with all votes in, before it decides',
  S4: 'a coordinator dies while it decides',
  S5: 'a coordinator dies, decided, nothing sent',
  S6: 'a coordinator dies with one of several commits sent',
  S7: 'a coordinator dies after the last acknowledgement, before the end is noted',
  S8: 'a coordinator dies while it recovers, five times running',
  S9: 'a coordinator dies while it prunes',
  S10: 'a participant dies, work done, not prepared',
  S11: 'a participant dies, prepared, not voted',
  S12: 'a participant dies before, and after, COMMIT PREPARED',
  S13: 'a participant dies, and is gone for an hour',
  S14: 'a PREPARE that comes after its abort',
  S15: 'a participant’s Postgres crashes with branches prepared',
  S16: 'the register’s Postgres crashes, or its answer is lost, in decide',
  S17: 'one backend is killed, so that the whole server restarts',
  S18: 'fsync fails in PREPARE (PANIC, and it may be prepared)',
  S19: 'the data disk is full',
  S20: 'the log disk is full (PANIC)',
  S21: 'the register is full, or read-only',
  S22: 'no slot for prepared transactions is left',
  S23: 'a DBA rolls a branch back before its commit',
  S24: 'a DBA commits a branch whose decision is abort',
  S25: 'the abort of a branch whose PREPARE failed',
  S26: 'a serialization failure or a violated constraint at PREPARE',
  S27: 'PREPARE in a transaction that has failed, unnoticed',
  S28: 'a branch stays prepared and holds locks',
  S29: 'a failover or a restore loses, or revives, prepared branches',
  S30: 'a participant comes back as the wrong role',
  S31: 'the connection is cut around COMMIT PREPARED and PREPARE',
  S32: 'half-open connections',
  S33: 'nats-server is killed in either round',
  S34: 'nats-server is stopped, and delivers late',
  S35: 'every message three times',
  S36: 'abort, or commit, before its prepare',
  S37: 'foreign, forged and unreadable messages',
  S38: 'votes are lost, or commands, with a link that comes back',
  S39: 'a participant is slower than the deadline',
  S40: 'links clog one by one and clear in another order',
  S41: 'two coordinators: one is stopped, the other recovers, the first wakes',
  S42: 'recovery beside live work, under load',
  S43: 'clocks jump an hour or eight days, or run five times as fast',
  S44: 'a stop with work in doubt',
  S45: '150 MB of heap, two connections, 10,000 open, too large a payload',
  S46: 'a participant throws, answers garbage, answers twice, answers falsely',
};

const notRunning = (): never => {
  throw new Error('a case is only read here');
};

/** Every table of cases but the crash matrix, and the suite that runs it. */
export const TABLES: readonly (readonly [suite: string, cases: readonly Case[]])[] = [
  ['test/crash/kill.spec.ts', [...OF_THE_COORDINATOR, ...OF_A_PARTICIPANT, ...OF_A_SERVER]],
  ['test/faults/coordinator.spec.ts', [...ONE_COORDINATOR, ...TWO_COORDINATORS]],
  ['test/faults/coordinator.nightly.ts', AGAIN_AND_AGAIN],
  ['test/faults/participant.spec.ts', PARTICIPANTS],
  ['test/faults/databases.spec.ts', DATABASES],
  ['test/faults/messages.spec.ts', MESSAGES],
  ['test/faults/network.nightly.ts', HALF_OPEN],
  ['test/faults/register.nightly.ts', registerCases(notRunning)],
  [
    'test/faults/storage.nightly.ts',
    storageCases(notRunning, { canMount: true, canCompile: true }),
  ],
];

export interface ScenarioTest {
  /** From the root of the repository. */
  readonly suite: string;
  /** `S12`, or empty for a case that is no named fault. */
  readonly scenario: string;
  readonly title: string;
  /** Absent: a test with a body of its own. */
  readonly row?: Case;
}

const split = (name: string): { scenario: string; title: string } => {
  const [, scenario = '', title = name] = /^(S\d+): (.*)$/.exec(name) ?? [];
  return { scenario, title };
};

/** All of them: cases, and tests that bear the number of a scenario. */
export function testsOfScenarios(): ScenarioTest[] {
  const cases = TABLES.flatMap(([suite, rows]) =>
    rows.map((row) => ({ suite, row, ...split(row.name) })),
  );
  return [...cases, ...writtenTests()];
}

function writtenTests(): ScenarioTest[] {
  return ['libs', 'apps', 'test']
    .flatMap((folder) =>
      readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map((file) =>
        join(ROOT, folder, file),
      ),
    )
    .filter((file) => /\.(spec|e2e-spec|nightly)\.ts$/.test(file) && !/node_modules/.test(file))
    .flatMap((file) =>
      [...readFileSync(file, 'utf8').matchAll(/(['"`])(S\d+: (?:(?!\1).)*)\1/g)].map(
        ([, , name = '']) => ({ suite: relative(ROOT, file), ...split(name) }),
      ),
    );
}
