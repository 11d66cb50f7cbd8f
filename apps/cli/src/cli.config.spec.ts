/** The development stack's ports: each service has its own, however many coordinators there are. */
import { ConfigurationRefused, readDevConfig } from './cli.config.js';

describe('The development stack', () => {
  it('has one coordinator by default, and further ones on the ports after its servers', () => {
    expect(readDevConfig('/root', {}).moreCoordinators).toEqual([]);
    const { ports, moreCoordinators } = readDevConfig('/root', { CONCORDAT_PORT: '9000' }, 3);
    expect([ports.coordinator, ...moreCoordinators]).toEqual([9000, 9003, 9004]);
  });

  it('is refused where a further coordinator would take another service’s port, and says which way out', () => {
    const environment = { CONCORDAT_LEDGER_EAST_PORT: '7404' };
    expect(readDevConfig('/root', environment, 2).moreCoordinators).toEqual([7403]);
    expect(() => readDevConfig('/root', environment, 3)).toThrow(ConfigurationRefused);
    expect(() => readDevConfig('/root', environment, 3)).toThrow(/three above the first/);
  });

  it('is refused a variable that is nearly one of its own, and knows which have no effect', () => {
    const mistyped = { CONCORDAT_LEDGR_EAST_PORT: '7500' };
    expect(() => readDevConfig('/root', mistyped)).toThrow(
      'CONCORDAT_LEDGR_EAST_PORT is not a setting. Did you mean CONCORDAT_LEDGER_EAST_PORT?',
    );
    const environment = { CONCORDAT_LIVE_MAX: '5', CONCORDAT_FOO: '1', CONCORDAT_ADMIN_KEY: 'k' };
    expect(readDevConfig('/root', environment).notRead).toEqual([
      'CONCORDAT_LIVE_MAX',
      'CONCORDAT_FOO',
    ]);
  });
});
