/** Errors of the server are told from those of the network and of the driver. */
import { isConnectionLost, saidByDriver, sqlErrorOf } from './sqlstate.js';

const server = (code: string, more: object = {}) =>
  Object.assign(new Error(`server says ${code}`), { code, severity: 'ERROR', ...more });
const socket = (code: string) => Object.assign(new Error(code), { code });

describe('an error of the connection', () => {
  it('is told from one of the server, also where its code has five letters', () => {
    expect(sqlErrorOf(socket('EPIPE'))).toBeUndefined();
    expect(isConnectionLost(socket('EPIPE'))).toBe(true);
    expect(isConnectionLost(server('57P01', { severity: 'FATAL' }))).toBe(true);
    expect(isConnectionLost(server('23505'))).toBe(false);
    expect(isConnectionLost(new Error('out of cheese'))).toBe(false);
  });

  it('is known by the words of the driver, where that is all there is', () => {
    expect(saidByDriver(new Error('Connection terminated unexpectedly'))).toMatch(/was lost/);
    expect(saidByDriver(new Error('timeout exceeded when trying to connect'))).toMatch(
      /No connection of the pool/,
    );
    expect(saidByDriver(new Error('out of cheese'))).toBeUndefined();
  });
});

describe('an error of the server', () => {
  it('is found inside what an ORM or a rethrow wrapped it in', () => {
    const wrapped = new Error('query failed', { cause: { driverError: server('40001') } });
    expect(sqlErrorOf(wrapped)).toMatchObject({ code: '40001', severity: 'ERROR' });
  });

  it('is looked for in whatever was thrown, and none of that throws in turn', () => {
    const trap = new Proxy(
      {},
      {
        get: () => {
          throw new Error('trap');
        },
      },
    );
    for (const thrown of [null, undefined, 'a string', 7, trap]) {
      expect(sqlErrorOf(thrown)).toBeUndefined();
      expect(isConnectionLost(thrown)).toBe(false);
    }
  });
});
