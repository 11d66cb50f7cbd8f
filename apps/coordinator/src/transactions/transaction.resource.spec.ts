/** What clients see of a transaction's troubles is for them; what the database said is for operators. */
import type { KnownTransaction } from '@concordat/diagnosis';
import { timelineResource, transactionResource } from './transaction.resource.js';

const SAID = 'duplicate key value violates unique constraint "account_pkey": INSERT INTO account';

const known = {
  transaction: '01m7yqagbxf1n9msr29xrrrv77-6fkr70s7',
  owner: '6fkr70s7',
  status: 'committing',
  begunAtMs: 0,
  branches: [
    {
      branch: '0001',
      participant: 'ledger-east',
      work: 'bundled',
      operations: [],
      attempts: 2,
      lastError: SAID,
    },
  ],
  timeline: [
    { sequence: 1, atMs: 0, type: 'begun', detail: { timeoutMs: 5 } },
    { sequence: 2, atMs: 1, type: 'unanswered', branch: '0001', detail: { why: SAID } },
  ],
  version: 1,
} as unknown as KnownTransaction;

describe('A transaction whose delivery fails', () => {
  it('shows a client that it is repeated, and none of what the participant said', () => {
    const shown = transactionResource(known, 0, 'client');
    expect(shown.branches[0]?.lastError).toMatch(/not confirmed.*asked again/);
    const text = JSON.stringify([shown, timelineResource(known, 0, 'client')]);
    expect(text).not.toMatch(/duplicate key|INSERT/);
    expect(text).toContain('"timeoutMs":5');
  });

  it('shows an operator what the participant said', () => {
    expect(transactionResource(known, 0, 'operator').branches[0]?.lastError).toBe(SAID);
    expect(JSON.stringify(timelineResource(known, 0, 'operator'))).toContain('duplicate key');
  });
});
