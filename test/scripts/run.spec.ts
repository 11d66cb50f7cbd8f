/** The stories' own machinery: what a trace can prove rests on what follows. */
import { formatGid, makeTransactionId, tokenFrom, type Enlisted } from '@concordat/protocol';
import type { TransactionView } from '@concordat/engine';
import { RegisterStore } from '../simulation/simulated-register.js';
import { Database } from './gated-database.js';
import { play, titleOf } from './run.js';
import { SteadyRandom, SteadyTimeline } from './steady.js';
import { Trace } from './trace.js';
import { Watch } from './watch.js';

const HAPPY = `# One participant.

submit t1 inventory until=completed
----

deliver
----
`;

describe('A script', () => {
  it('is named by its first prose line', () => {
    expect(titleOf(HAPPY)).toBe('One participant.');
    expect(() => titleOf('submit t1 inventory')).toThrow('begins with a prose line');
  });

  it('played, shows what really happened in place of what was expected', async () => {
    const wrong = HAPPY.replace('deliver\n----\n', 'deliver\n----\nnothing at all\n');
    const happened = await play(wrong);
    expect(happened).not.toContain('nothing at all');
    expect(happened).toContain('c1: t1 committed');
    expect(happened).toMatch(/^# One participant\.\n\nsubmit t1 inventory until=completed\n----\n/);
  });

  it('played twice, shows the same; and so does its output', async () => {
    const happened = await play(HAPPY);
    expect(await play(HAPPY)).toBe(happened);
    expect(await play(happened)).toBe(happened);
  });

  it.each([
    ['sbumit t1 inventory', 'there is no verb sbumit'],
    ['submit t1 inventory untill=decided', 'submit has no option untill'],
    ['submit t1 inventory\ndeliver vote', 'nothing on its way matches "vote"'],
    ['commit t9', 't9 was never begun'],
    ['crash c1\nrestart c1\nrestart c1', 'c1 is running'],
    ['register land c1', 'no call of c1 is held'],
    ['database inventory hold everything', 'everything is none of'],
  ])('with a mistake names it and its line: %s', async (commands, complaint) => {
    const line = 2 + commands.split('\n').length;
    const script = `# A mistake.\n\n${commands}\n----\n`;
    await expect(play(script)).rejects.toThrow(complaint);
    await expect(play(script)).rejects.toThrow(`line ${line}`);
  });
});

describe('With any trace, a story fails when', () => {
  const cluster = tokenFrom(new Uint8Array(8));
  const transaction = makeTransactionId(1, new Uint8Array(10), tokenFrom(new Uint8Array(8)));
  const branches = [{ branch: '1', participant: 'inventory', work: 'bundled' }] as const;
  const gid = formatGid({ cluster, transaction, branch: '1' as Enlisted['branch'] });

  function world() {
    const timeline = new SteadyTimeline();
    const trace = new Trace(timeline);
    trace.call(transaction, 't1');
    const register = new RegisterStore();
    const inventory = new Database('inventory', timeline, new SteadyRandom(1), trace);
    const watch = new Watch(register, new Map([['inventory', inventory]]), trace);
    const stand = (decision: 'commit' | 'abort'): void => {
      register.rows.set(transaction, {
        transaction,
        decision,
        branches: decision === 'commit' ? (branches as unknown as Enlisted[]) : [],
        finisher: tokenFrom(new Uint8Array(8)),
        decidedAtMs: 1,
        heuristics: [],
      });
      register.history.push({ transaction, decision, at: 1 });
    };
    return { watch, inventory, stand };
  }

  const view = (more: Partial<TransactionView>): TransactionView =>
    ({ transaction, branches: [], ...more }) as unknown as TransactionView;

  it('a branch commits without a decision', () => {
    const { watch, inventory } = world();
    inventory.store.outcome.set(gid, 'branch');
    expect(watch.check()).toEqual(['t1 is committed at inventory though nothing is on record']);
  });

  it('a branch aborts against a commit', () => {
    const { watch, inventory, stand } = world();
    stand('commit');
    inventory.store.outcome.set(gid, 'tombstone');
    expect(watch.check()).toEqual(['t1 is aborted at inventory though commit is on record']);
  });

  it('a branch is applied twice', () => {
    const { watch, inventory } = world();
    inventory.store.applied.set(gid, 2);
    expect(watch.check()).toHaveLength(1);
  });

  it('a decision changes', () => {
    const { watch, stand } = world();
    stand('abort');
    stand('commit');
    expect(watch.check()).toEqual(['t1 was decided abort and then commit']);
  });

  it('a message says more than what is on record', () => {
    const { watch, stand } = world();
    watch.sent('commit', transaction, {});
    watch.sent('answer', transaction, { kind: 'decided', decision: 'commit' });
    stand('commit');
    watch.sent('abort', transaction, {});
    expect(watch.check()).toHaveLength(3);
  });

  it('a client is answered more than what is on record', () => {
    const { watch, stand } = world();
    const wrote = [{ vote: { kind: 'prepared' } }] as unknown as TransactionView['branches'];
    watch.told(view({ decision: 'commit', branches: wrote }));
    stand('commit');
    watch.told(view({ decision: 'abort' }));
    expect(watch.check()).toHaveLength(2);
  });

  it('a client is answered a heuristic end whose evidence is not recorded', () => {
    const { watch, stand } = world();
    stand('commit');
    const lost = [{ branch: '1', outcome: { kind: 'heuristic' } }];
    const branchesOf = lost as unknown as TransactionView['branches'];
    watch.told(view({ decision: 'commit', outcome: 'heuristic-mixed', branches: branchesOf }));
    expect(watch.check()).toHaveLength(1);
  });

  it('but not for what a DBA did manually', () => {
    const { watch, inventory } = world();
    inventory.store.outcome.set(gid, 'branch');
    inventory.tampered.add(gid);
    expect(watch.check()).toEqual([]);
  });
});
