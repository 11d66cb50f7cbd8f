/** The open health routes name the dependency that is away, and nothing of what its driver said. */
import { SystemClock } from '@concordat/channel';
import type { ServerResponse } from 'node:http';
import { HealthController } from './health.controller.js';
import { Probe, Readiness } from './readiness.js';

const SAID = 'connect ECONNREFUSED 10.0.0.7:5432, role "concordat_coordinator"';

describe('/readyz', () => {
  it.each([
    ['away', () => Promise.reject(new Error(SAID)), false, 'does not answer'],
    ['there', () => Promise.resolve('PostgreSQL 17.2 at 10.0.0.7'), true, 'answers'],
  ])('says that the register is %s in general words', async (_, ask, ok, words) => {
    const told: string[] = [];
    const probe = new Probe('register', 'register-unavailable', ask, new SystemClock(), {
      warn: (text) => told.push(text),
    });
    const health = new HealthController(new Readiness([probe]));
    const headers = { setHeader: () => undefined } as unknown as ServerResponse;
    const text = JSON.stringify(await health.readyz(headers));
    expect(text).toContain(`"ok":${ok}`);
    expect(text).toContain(words);
    expect(text).not.toMatch(/10\.0\.0\.7|ECONN|role|17\.2/);
    await probe.probe();
    expect(told).toEqual(ok ? [] : [expect.stringContaining(SAID)]);
  });
});
