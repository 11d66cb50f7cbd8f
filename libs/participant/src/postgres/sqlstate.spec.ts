/** Errors of the server are distinguished from those of the network and of the driver. */
import { understandsLanguage } from './severity.js';
import { isConnectionLost, saidByDriver, sqlErrorOf } from './sqlstate.js';
import { voteOfPrepare } from './votes-of-errors.js';

const server = (code: string, more: object = {}) =>
  Object.assign(new Error(`server says ${code}`), { code, severity: 'ERROR', ...more });
const socket = (code: string) => Object.assign(new Error(code), { code });

describe('a server that speaks another language', () => {
  it.each([
    ['de_DE.UTF-8', 'FEHLER', 'FATAL', 'PANIK'],
    ['es_ES', 'ERROR', 'FATAL', 'PANIC'],
    ['fr_FR.utf8', 'ERREUR', 'FATAL', 'PANIC'],
    ['it_IT', 'ERRORE', 'FATALE', 'PANICO'],
    ['ja_JP.UTF-8', 'ERROR', 'FATAL', 'PANIC'],
    ['ko_KR', '오류', '치명적오류', '손상'],
    ['ru_RU.UTF-8', 'ОШИБКА', 'ВАЖНО', 'ПАНИКА'],
    ['sv_SE', 'FEL', 'FATALT', 'PANIK'],
    ['uk_UA.UTF-8', 'ПОМИЛКА', 'ФАТАЛЬНО', 'ПАНІКА'],
    ['zh_CN.UTF-8', '错误', '致命错误', '比致命错误还过分的错误'],
  ])('%s: %s is a certain no, and nothing else is', (language, error, ...worse) => {
    expect(understandsLanguage(language)).toBe(true);
    expect(voteOfPrepare(server('23505', { severity: error }))).toMatchObject({
      certain: true,
      vote: { code: 'CONSTRAINT_VIOLATED' },
    });
    expect(isConnectionLost(server('23505', { severity: error }))).toBe(false);
    for (const severity of worse) {
      expect(voteOfPrepare(server('53100', { severity }))).toMatchObject({ certain: false });
      expect(isConnectionLost(server('57P01', { severity }))).toBe(true);
    }
  });

  it('that is not known is never taken for a no, and reported at the start', () => {
    expect(voteOfPrepare(server('23505', { severity: 'VILLA' }))).toMatchObject({ certain: false });
    for (const own of ['C', 'POSIX', 'en_US.UTF-8', 'English_United States.1252', '']) {
      expect(understandsLanguage(own)).toBe(true);
    }
    expect(understandsLanguage('is_IS.UTF-8')).toBe(false);
  });
});

describe('an error of the connection', () => {
  it('is distinguished from one of the server, also where its code has five letters', () => {
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

  it('is looked for in any thrown value, and none of that throws in turn', () => {
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
