/** The configuration says everything that is wrong at once, and repeats no secret. */
import { readLedgerConfig } from './ledger.config.js';

const good = {
  PARTICIPANT_NAME: 'ledger-east',
  DATABASE_URL: 'postgres://ledger:secret@127.0.0.1:5432/ledger',
  NATS_URL: 'nats://127.0.0.1:4222',
};

describe('the configuration of the ledger', () => {
  it('needs a name, a database and a broker; everything else has a default', () => {
    expect(readLedgerConfig(good)).toMatchObject({
      PARTICIPANT_NAME: 'ledger-east',
      HOST: '127.0.0.1',
      CONCORDAT_SESSIONS_MAX: 16,
    });
  });

  it('names every key that is wrong in one message, without the values', () => {
    const bad = {
      ...good,
      PARTICIPANT_NAME: 'No Good',
      DATABASE_URL: 'mysql://root:hunter2@db/x',
      NATS_URL: undefined,
      PORT: '70000',
      CONCORDAT_CLUSTER: 'short',
    };
    let message = '';
    try {
      readLedgerConfig(bad);
    } catch (error) {
      message = (error as Error).message;
    }
    for (const key of [
      'PARTICIPANT_NAME',
      'DATABASE_URL',
      'NATS_URL',
      'PORT',
      'CONCORDAT_CLUSTER',
    ]) {
      expect(message).toContain(key);
    }
    expect(message).not.toMatch(/hunter2|No Good|short/);
  });

  it('takes an empty variable for one that is not set', () => {
    expect(readLedgerConfig({ ...good, PORT: '' }).PORT).toBeGreaterThan(0);
  });
});
