/**
 * S43: the wall clock of one node jumps an hour either way, or runs five times as fast. Deadlines,
 * leases and retries go by the monotonic clock, so nothing is aborted and nothing waits for it.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { waitFor } from '@concordat/testing';
import { transferBody } from '../stage/product.js';
import { command, vote } from './stage/commands.js';
import { FaultStage } from './stage/fault-stage.js';

const SHIM = pathToFileURL(resolve(import.meta.dirname, 'stage/shifted-clock.mjs')).href;
const HOUR_MS = 3_600_000;

describe('When the clock of one node is wrong', () => {
  let stage: FaultStage;
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'concordat-clock-'));
    stage = await FaultStage.start();
  });

  beforeEach(() => stage.begin());

  afterEach(() => stage.heal());

  afterAll(async () => {
    await stage?.dispose();
    await rm(folder, { recursive: true, force: true });
  });

  let opened = 0;

  /** Begins a transaction that stays open, with work done in the east. */
  async function open(): Promise<string> {
    opened += 1;
    const body = { label: 'open', timeoutMs: 600_000 };
    const begun = await stage.product.request('POST', '/v1/transactions', { body });
    const id = String(begun.body['transactionId']);
    await work(id, 'ledger-east');
    return id;
  }

  /** Opens an account of its own, so that it waits for nobody. */
  async function work(id: string, participant: string): Promise<void> {
    const operations = [{ name: 'open', input: { account: `account-${opened}`, amount: 1 } }];
    const path = `/v1/transactions/${id}/branches`;
    const body = { participant, operations };
    expect(await stage.product.request('POST', path, { body })).toMatchObject({ status: 200 });
  }

  async function finish(id: string): Promise<void> {
    await work(id, 'ledger-west');
    const path = `/v1/transactions/${id}/commit`;
    expect(await stage.product.request('POST', path)).toMatchObject({ status: 200 });
    expect(await stage.completed(id)).toMatchObject({ status: 'committed' });
  }

  describe.each(['coordinator', 'ledger-west'] as const)('of %s', (node) => {
    const file = () => join(folder, node);

    beforeAll(async () => {
      await writeFile(file(), '0 1');
      await stage.product.restart(node, {
        env: { NODE_OPTIONS: `--import=${SHIM}`, CLOCK_FILE: file() },
      });
    });

    afterAll(() => stage.product.restart(node));

    it.each([
      ['an hour ahead', HOUR_MS, 1],
      ['an hour behind', -HOUR_MS, 1],
      ['five times as fast', 0, 5],
    ])(
      'S43: %s: what is under way commits, what begins commits, what is in doubt is resolved',
      async (_, offsetMs, rate) => {
        const held = stage.wire('ledger-west').broker.rule('the vote', vote, 'hold');
        const id = await open();
        const underWay = stage.post(transferBody(100, { timeoutMs: 60_000 }));
        await held.waitForHit();
        await jump(offsetMs, rate);
        held.lift();
        expect(await underWay).toMatchObject({ status: 200 });
        await finish(id);
        for (let n = 0; n < 10; n++) expect(await stage.post()).toMatchObject({ status: 200 });
        const lost = stage
          .wire('coordinator')
          .broker.rule('a commit', command('commit', 'ledger-west'), 'drop', { times: 1 });
        expect(await stage.post()).toMatchObject({ status: 200 });
        await lost.waitForHit();
        expect(await stage.moved()).toBe(1_200);
        await jump(0, 1);
        expect(await stage.post()).toMatchObject({ status: 200 });
        expect(await stage.moved()).toBe(1_300);
      },
    );

    /** Sets the clock of the node, and waits until it goes by it. */
    async function jump(offsetMs: number, rate: number): Promise<void> {
      const said = `the clock is off by ${offsetMs} ms, rate ${rate}\n`;
      const output = () => stage.product.service(node).output().split(said).length;
      const before = output();
      await writeFile(file(), `${offsetMs} ${rate}`);
      await waitFor(() => output() > before, { what: 'the clock to jump' });
      if (node !== 'coordinator' || rate !== 1) return;
      const { body } = await stage.product.request('GET', '/v1/cluster');
      const offBy = Date.parse(String(body['serverTime'])) - Date.now() - offsetMs;
      expect(Math.abs(offBy)).toBeLessThan(60_000);
    }
  });
});
