/** S16, S21: the register's own Postgres crashes, or becomes read-only, with a decision under way. */
import { waitFor } from '@concordat/testing';
import { on, type Case, type Step } from '../cases/case.js';
import { vote } from '../cases/commands.js';
import type { CaseStage } from '../cases/stage.js';
import { left, lift, prepared, recorded, step } from '../cases/steps.js';
import { completion } from './proxy/frame.js';
import type { AilingServer } from './stage/ailing-server.js';

/** Ends every session of the coordinator, so that defaults of its role take hold. */
const END_SESSIONS = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                       WHERE datname = 'concordat' AND usename = 'concordat'`;

/** Waits until the coordinator begins nothing, because its register takes nothing. */
export const untilNothingBegins = (stage: CaseStage): Promise<boolean> =>
  waitFor(
    async () => {
      const { status, body } = await stage.post();
      return status === 503 && String(body['code']) === 'register-unavailable';
    },
    { what: 'the coordinator to begin nothing', timeoutMs: 20_000 },
  );

const nothingBegins = step('the coordinator begins nothing', ({ stage }) =>
  untilNothingBegins(stage),
);

/** The cases of a stage whose register is this server. */
export function registerCases(register: () => AilingServer): readonly Case[] {
  const crash = step('the register crashes', () => register().crash());
  const start = step('the register is started', () => register().start());
  const readOnly = (says: string, change: 'SET' | 'RESET'): Step =>
    step(says, async () => {
      const to = change === 'SET' ? ' = on' : '';
      const name = `default_transaction_read_only${to}`;
      await register().asSuperuser(`ALTER ROLE concordat ${change} ${name}`);
      await register().asSuperuser(END_SESSIONS);
    });
  return [
    {
      name: 'S16: a register that crashes with a decision under way is asked again when it is back',
      faults: [
        on('coordinator', 'database', 'its answer', [
          completion(/INSERT INTO concordat\.decision/),
          'hold',
        ]),
      ],
      sends: 'transfer',
      wait: '60s',
      then: [crash, left(2), start],
      hears: 'commit',
      answer: { decision: 'commit' },
      ends: 'commit',
      onRecord: 'commit',
    },
    {
      name: 'S21: while the register is read-only nothing begins, nothing is decided, and what waits is not lost',
      faults: [on('ledger-west', 'broker', 'the vote', [vote, 'hold'])],
      sends: 'transfer',
      timeoutMs: 30_000,
      wait: '60s',
      then: [
        prepared(2),
        readOnly('the register is read-only', 'SET'),
        lift('the vote'),
        nothingBegins,
        recorded(undefined),
        left(2),
        readOnly('the register is writable', 'RESET'),
      ],
      hears: 'commit',
      ends: 'commit',
      onRecord: 'commit',
    },
  ];
}
