/** Hooks run once, after the outcome is known, and what they do wrong changes nothing. */
import { SystemClock } from '@concordat/channel';
import type { BranchKey } from '@concordat/engine';
import {
  makeBranchId,
  makeTransactionId,
  type ClusterId,
  type Incarnation,
  type ParticipantName,
} from '@concordat/protocol';
import { Pool } from 'pg';
import { BranchHooks } from './branch-hooks.js';
import { currentScope, runInScope } from './branch-scope.js';

const branch: BranchKey = {
  cluster: 'hooks000' as ClusterId,
  transaction: makeTransactionId(1, new Uint8Array(10), '0wner000' as Incarnation),
  branch: makeBranchId(1),
  participant: 'notes' as ParticipantName,
};
const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

describe('the hooks of a branch', () => {
  it('run for the outcome that came, and only once', async () => {
    const hooks = new BranchHooks(new SystemClock(), () => undefined);
    const ran: string[] = [];
    hooks.add(branch, 'committed', () => void ran.push('committed'));
    hooks.add(branch, 'aborted', () => void ran.push('aborted'));
    hooks.ended(branch, 'committed');
    hooks.ended(branch, 'committed');
    await settled();
    expect(ran).toEqual(['committed']);
  });

  it('that throw or reject are reported, and the others still run', async () => {
    const failures: unknown[] = [];
    const hooks = new BranchHooks(new SystemClock(), (error) => failures.push(error));
    let ran = false;
    hooks.add(branch, 'aborted', () => {
      throw new Error('one');
    });
    hooks.add(branch, 'aborted', () => Promise.reject(new Error('two')));
    hooks.add(branch, 'aborted', () => {
      ran = true;
    });
    hooks.ended(branch, 'aborted');
    await settled();
    expect(failures).toHaveLength(2);
    expect(ran).toBe(true);
  });

  it('run outside of the branch in whose context the outcome arrived', async () => {
    const hooks = new BranchHooks(new SystemClock(), () => undefined);
    let scope: unknown = 'it never ran';
    hooks.add(branch, 'aborted', () => {
      scope = currentScope();
    });
    const other = {
      participant: 'other',
      gid: 'other',
      session: { isOpen: true },
      pool: new Pool(),
    };
    await runInScope({ branch: other, work: 'operation', refused: () => undefined }, () => {
      expect(currentScope()?.branch).toBe(other);
      hooks.ended(branch, 'aborted');
    });
    await settled();
    expect(scope).toBeUndefined();
  });

  it('of a branch that wrote nothing never run', async () => {
    const hooks = new BranchHooks(new SystemClock(), () => undefined);
    let ran = false;
    hooks.add(branch, 'committed', () => {
      ran = true;
    });
    hooks.forget(branch);
    hooks.ended(branch, 'committed');
    await settled();
    expect(ran).toBe(false);
    expect(hooks.waitingLongerThan(0)).toEqual([]);
  });
});
