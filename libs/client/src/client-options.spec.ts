/** Which options a client is refused for, by their names. */
import { ConcordatClient } from './client.js';
import type { ConcordatClientOptions } from './client-options.js';

const USABLE = { url: 'http://127.0.0.1:7400', apiKey: 'k' };

describe('A client', () => {
  it.each([
    ['no address', { url: undefined }, /^url must be the address of a coordinator/],
    ['an address that is none', { url: 'coordinator:7400/x y' }, /^url must be the address/],
    ['no key', { apiKey: '' }, /^apiKey must be a key that the coordinator knows/],
    ['retries that are no number', { retries: Number.NaN }, /^retries must be a whole number/],
    ['a wait that no timer has', { requestTimeoutMs: 3e9 }, /^requestTimeoutMs must be a whole/],
    [
      'an option that there is not',
      { timeoutMs: 5 },
      /^timeoutMs is no option of the client: .*url/,
    ],
  ])('is not made with %s', (_, given: object, why) => {
    const make = () => new ConcordatClient({ ...USABLE, ...given } as ConcordatClientOptions);
    expect(make).toThrow(TypeError);
    expect(make).toThrow(why);
  });

  it('is made with what can be, and without what was left out', () => {
    const options = { ...USABLE, retries: 0, fetch: undefined };
    expect(() => new ConcordatClient(options)).not.toThrow();
  });
});
