/** What an action needs, and what has changed since the last look. */
import type { AdminBranch, AdminTransaction } from '@concordat/client';
import { changesBetween } from './changes.js';
import { whatIsMissing } from './missing.js';
import { whyMayNot } from './role.js';
import { isOneClick } from './wording.js';

const NEEDS = { role: 'force', reason: true, ticket: true, confirm: 'FORCE ABORT 4f2a9c' } as const;
const SAID = { reason: 'gone', ticket: 'OPS-1', confirm: 'FORCE ABORT 4f2a9c' };

describe('An action', () => {
  it('is asked for only when everything it needs has been said, to the letter', () => {
    expect(whatIsMissing(NEEDS, SAID)).toBeUndefined();
    expect(whatIsMissing(NEEDS, { ...SAID, reason: '  ' })).toMatch(/reason/);
    expect(whatIsMissing(NEEDS, { ...SAID, ticket: '' })).toMatch(/ticket/);
    expect(whatIsMissing(NEEDS, { ...SAID, confirm: 'force abort 4f2a9c' })).toMatch(/exactly/);
    expect(whatIsMissing(NEEDS, { ...SAID, confirm: `${NEEDS.confirm} ` })).toMatch(/exactly/);
  });

  it('runs on one click only when nothing has to be said first', () => {
    expect(isOneClick({ needs: NEEDS })).toBe(false);
    expect(isOneClick({ needs: { role: 'operator', reason: false, ticket: false } })).toBe(true);
  });
});

describe('A role', () => {
  it('may do what lesser roles may, and sees what a greater one needs', () => {
    expect(whyMayNot('force', 'operator')).toBeUndefined();
    expect(whyMayNot('operator', 'operator')).toBeUndefined();
    expect(whyMayNot('viewer', 'operator')).toMatch(/signed in as viewer.*operator/);
    expect(whyMayNot('operator', 'force')).toMatch(/force key/);
  });
});

function detail(more: Partial<AdminTransaction['transaction']>, branch: Partial<AdminBranch> = {}) {
  const one = { branch: '1', participant: 'inventory', attempts: 1, ...branch };
  return {
    transaction: { status: 'preparing', branches: [], ...more },
    branches: [one],
  } as unknown as AdminTransaction;
}

describe('What has changed', () => {
  it('is said in sentences, the decision first', () => {
    const before = detail({});
    const after = detail(
      { status: 'committing', decision: 'commit' },
      { attempts: 3, vote: { kind: 'prepared' } },
    );
    expect(changesBetween(before, after)).toEqual([
      'It is decided now: commit.',
      'It was preparing, and is committing.',
      'inventory has voted: prepared.',
      'inventory was tried again: 3 attempts instead of 1.',
    ]);
  });

  it('is said to be something when this page does not show it', () => {
    expect(changesBetween(detail({}), detail({}))).toHaveLength(1);
  });
});
