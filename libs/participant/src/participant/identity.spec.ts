/** Which options a participant is refused for, before it opens anything. */
import pg from 'pg';
import { createParticipant } from '../index.js';

const NOTHING = { name: 'nothing', run: () => Promise.resolve() };

const limits = (given: object) => () =>
  createParticipant({
    ...{ name: 'shop', natsUrl: 'nats://127.0.0.1:9', operations: [NOTHING] },
    database: { pool: new pg.Pool({ host: '127.0.0.1', port: 9, max: 8 }) },
    ...given,
  });

describe('A participant', () => {
  it.each([
    [{ sessionsMax: 0 }, 'sessionsMax 0 is refused: give a whole number, 1 or more'],
    [{ inDoubtMax: -1 }, 'inDoubtMax -1 is refused'],
    [{ lockWaitersMax: 1.5 }, 'lockWaitersMax 1.5 is refused'],
    [{ lockWaitersMax: Number.NaN }, 'lockWaitersMax NaN is refused'],
    [{ sessionsMax: 4, lockWaitersMax: 5 }, 'lockWaitersMax 5 is refused: at most 4 branches'],
  ])('with the limits %j is refused by the name of the limit', (given, why) => {
    expect(limits(given)).toThrow(why);
  });

  it.each([
    [{ graceMs: -1 }, 'graceMs -1 is refused: give milliseconds as a whole number, 0 or more'],
    [{ drainMs: 3_000_000_000 }, 'drainMs 3000000000 is refused: give milliseconds'],
    [{ resolvePeriodMs: 0 }, 'resolvePeriodMs 0 is refused: give milliseconds'],
    [{ retentionMs: '7d' }, 'retentionMs is refused: give milliseconds'],
    [{ migrate: 'false' }, 'migrate is refused: give true or false'],
    [
      { isolation: 'serializable' },
      "isolation is refused: give 'READ COMMITTED', 'REPEATABLE READ'",
    ],
    [{ natsUrl: '' }, 'natsUrl is refused: give the address of the broker'],
    [{ natsUrl: undefined }, 'natsUrl is missing: give the address of the broker'],
    [{ nats: { pingMS: 5 } }, 'nats is refused: pingMS is no option. Did you mean pingMs?'],
    [
      { nats: { user: 'shop' } },
      'nats is refused: user is no option. There are setting, credentials',
    ],
    [{ database: {} }, 'database is refused: give one of { url }, { pool } and { dataSource }'],
    [{ database: undefined }, 'database is missing: give one of { url }, { pool }'],
    [{ database: { url: 'postgres://', pool: {} } }, 'database is refused: give one of'],
    [{ database: { url: 'postgres://h/d', connectionMax: 5 } }, 'Did you mean connectionsMax?'],
    [{ sessionMax: 5 }, 'sessionMax is no option. Did you mean sessionsMax?'],
    [{ poolSize: 5 }, 'poolSize is no option. There are name, version, natsUrl'],
    [{ log: console.log }, 'log is refused: give an object with log, warn and error'],
    [{ operations: {} }, 'operations is refused: give a list of operations'],
  ])('with the options %j is refused by the name of the option', (given, why) => {
    expect(limits(given)).toThrow(why);
  });

  it('is refused without repeating what may hold a secret', () => {
    const secret = { url: 'postgres://u:secret@h/d', conectionsMax: 'secret' };
    for (const given of [
      { database: secret },
      { nats: 'secret' },
      { natsURL: 'nats://u:secret@h' },
    ]) {
      expect(limits(given)).toThrow(/^(?!.*secret)/);
    }
  });

  it('with more waiters than its pool has connections is refused when it starts', async () => {
    const start = limits({ lockWaitersMax: 9 })().start();
    await expect(start).rejects.toThrow('lockWaitersMax 9 is refused: at most 8 branches');
  });

  it('is content with what can be', () => {
    expect(limits({})).not.toThrow();
    expect(limits({ sessionsMax: 4, lockWaitersMax: 4, inDoubtMax: 1 })).not.toThrow();
  });
});
