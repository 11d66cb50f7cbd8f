/** What keeps a service from starting is told with its remedy, by the names that the service gives its settings. */
import { createServer } from 'node:http';
import { DatabaseUnreachable } from './database-wait.js';
import { describeStartFailure } from './start-failure.js';

const VARIABLES = { database: 'DATABASE_URL', broker: 'NATS_URL', own: 'HOST and PORT' };
const told = (error: unknown): string => describeStartFailure(error, [], VARIABLES);

/** How a server of Node fails to listen. */
function refusedListening(port: number, host: string): Promise<unknown> {
  return new Promise((resolve) => createServer().once('error', resolve).listen(port, host));
}

describe('A start that fails', () => {
  it('for its database or its broker names the variable of that', () => {
    const away = new DatabaseUnreachable('it is away\nRemedy: start it, or correct its address.');
    expect(told(away)).toBe('it is away\nRemedy: start it, or correct its address (DATABASE_URL).');
    const noBroker = Object.assign(new Error('Remedy: start one there, or correct its address.'), {
      name: 'BrokerUnreachable',
    });
    expect(told(noBroker)).toMatch(/correct its address \(NATS_URL\)\.$/);
  });

  it('for a port that is taken, or a host that is none, names the variables without a stack', async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const { port } = taken.address() as { readonly port: number };
    const lines = told(await refusedListening(port, '127.0.0.1')).split('\n');
    taken.close();
    expect(lines).toEqual([
      expect.stringMatching(/EADDRINUSE/),
      'Remedy: end what listens there, or set HOST and PORT.',
    ]);
    const elsewhere = told(await refusedListening(0, '203.0.113.7'));
    expect(elsewhere).toMatch(/EADDRNOTAVAIL.*\nRemedy: set HOST and PORT\.$/);
  });

  it('for a reason that explains nothing shows where', () => {
    expect(told(new TypeError('x is not a function'))).toMatch(/TypeError: x is not.*\n +at /s);
  });
});
