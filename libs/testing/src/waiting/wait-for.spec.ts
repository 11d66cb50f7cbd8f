// What waiting by condition promises: the value, promptly, and a failure that explains itself.

import { waitFor } from './wait-for.js';

describe('waiting for a condition', () => {
  it('resolves with the first truthy value', async () => {
    let asked = 0;
    const value = await waitFor(() => ((asked += 1) === 3 ? 'third' : undefined), {
      what: 'the third question',
      everyMs: 1,
    });
    expect(value).toBe('third');
    expect(asked).toBe(3);
  });

  it('takes an error for "not yet", and names the last one when time is over', async () => {
    const waiting = waitFor(() => Promise.reject(new Error('still closed')), {
      what: 'the door',
      timeoutMs: 30,
      everyMs: 5,
    });
    await expect(waiting).rejects.toThrow('Waited 30 ms for the door; last: still closed');
  });

  it('does not outlive its deadline when the condition hangs', async () => {
    const began = Date.now();
    const hanging = waitFor(() => new Promise<boolean>(() => undefined), {
      what: 'silence',
      timeoutMs: 40,
    });
    await expect(hanging).rejects.toThrow('the condition never answered');
    expect(Date.now() - began).toBeLessThan(1_000);
  });
});
