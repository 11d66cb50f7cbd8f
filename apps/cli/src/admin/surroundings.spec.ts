/** Participants, orphans and findings as people read them in a terminal, of any width. */
import type { AdminDoctor, AdminOrphanList, AdminParticipantList } from '@concordat/client';
import { describeDoctor, describeOrphans, describeParticipants } from './surroundings.js';

const serverTime = '2026-11-21T12:00:00.000Z';
const OLD = {
  name: 'version',
  result: 'warning',
  found:
    'Postgres 18.4: a crash while a prepared transaction is aborted can let it be committed later',
  remedy: 'update the server to 18.6 or newer',
} as const;

const DOCTOR: AdminDoctor = {
  checks: [
    { name: 'answers', at: 'register', result: 'ok', found: 'it answers' },
    { ...OLD, at: 'ledger-east' },
    { name: 'answers', at: 'ledger-east', result: 'ok', found: 'one instance' },
    { ...OLD, at: 'ledger-west' },
    {
      name: 'slots',
      at: 'ledger-west',
      result: 'bad',
      found:
        'all prepared slots are taken at this moment, and new branches vote no until some are free',
      remedy: 'raise max_prepared_transactions, or settle what is stuck',
    },
  ],
  serverTime,
};

const PARTICIPANTS: AdminParticipantList = {
  participants: [
    {
      participant: 'warehouse',
      state: 'silent',
      instances: 0,
      instanceReports: [],
      checks: [],
      actions: [],
      etag: '"x"',
      lastKnown: { inDoubt: 2, at: '2026-11-21T11:58:00.000Z' },
      undelivered: 1,
      lastError: 'this coordinator does not reach the broker',
      lastSeenAt: '2026-11-21T11:59:00.000Z',
      blockers: [
        {
          participant: 'warehouse',
          holder: { kind: 'session', pid: 4_711, application: 'month-end-report', user: 'report' },
          sessions: 1,
          transactions: ['01m8przaz4fy18905dnkdr2xcv-12z5zkq5'],
          since: '2026-11-21T11:59:00.000Z',
          asOf: serverTime,
        },
      ],
    },
  ],
  serverTime,
};

const ORPHANS: AdminOrphanList = {
  orphans: [],
  notCompared: [{ participant: 'warehouse', why: 'this coordinator does not reach the broker' }],
  comparedAt: serverTime,
  serverTime,
};

describe('The findings of `concordat doctor`', () => {
  const lines = describeDoctor(DOCTOR, false);

  it('that several places share are told once, under the names of all', () => {
    expect(lines.filter((line) => line.includes('Postgres 18.4'))).toHaveLength(1);
    expect(lines).toContain('ledger-east and ledger-west');
    expect(lines.at(-1)).toBe('2 ok, 2 warnings, 1 bad, 0 unknown');
  });

  it('of one place are told there, with the number of those that are in order', () => {
    const from = lines.indexOf('ledger-west');
    expect(lines[from + 1]).toMatch(/^ {2}BAD {6}slots: all prepared slots/);
    expect(lines).toContain('ledger-east  1 ok');
  });
});

describe('In a terminal', () => {
  const { columns } = process.stdout;
  const within = (width: number, told: () => string[]): string[] => {
    process.stdout.columns = width;
    return told();
  };
  afterEach(() => {
    process.stdout.columns = columns;
  });

  it.each([60, 80, 120])('of %i columns every line fits', (width) => {
    const lines = [
      ...within(width, () => describeDoctor(DOCTOR, true)),
      ...within(width, () => describeParticipants(PARTICIPANTS)),
      ...within(width, () => describeOrphans(ORPHANS)),
    ];
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(width);
  });
});

it('One session and one commit are counted as one', () => {
  const text = describeParticipants(PARTICIPANTS).join(' ');
  expect(text).toContain('blocks 1 session since');
  expect(text).toContain('with 2 in doubt; 1 commit undelivered.');
});
