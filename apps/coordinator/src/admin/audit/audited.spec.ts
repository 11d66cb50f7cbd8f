/** Every action is in the audit before it happens. The audit is real; what is carried out is the test's. */
import { openDecisionLog } from '@concordat/decision-log';
import { Logger } from '@nestjs/common';
import type pg from 'pg';
import { DecisionLogStage } from '../../../../../test/conformance/decision-log-stage.js';
import { Audited } from '../../access/audited.js';

describe('What an operator asks for', () => {
  const operator = { by: 'ops', role: 'operator' } as const;
  let stage: DecisionLogStage;
  let dba: pg.Client;
  let audited: Audited;
  let audit: Awaited<ReturnType<typeof openDecisionLog>>['audit'];

  beforeAll(async () => {
    Logger.overrideLogger(false);
    stage = await DecisionLogStage.open();
    const url = await stage.emptied();
    ({ audit } = await stage.log(url));
    audited = new Audited(audit);
    dba = await stage.dba(url);
    await dba.query(`CREATE FUNCTION concordat.refuse_entries() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN RAISE EXCEPTION 'no entry today'; END $$`);
  });

  afterAll(() => stage.close());

  it('is not done when the audit cannot hold the question', async () => {
    await dba.query(`CREATE TRIGGER refuse_entries BEFORE INSERT ON concordat.audit
      FOR EACH ROW EXECUTE FUNCTION concordat.refuse_entries()`);
    let isDone = false;
    const asked = audited.run(
      operator,
      { action: 'force' },
      async () => {
        isDone = true;
      },
      () => ({}),
    );
    try {
      await expect(asked).rejects.toThrow(/no entry today/);
      expect(isDone).toBe(false);
    } finally {
      await dba.query('DROP TRIGGER refuse_entries ON concordat.audit');
    }
  });

  it('is done after the question is durable, and before the answer', async () => {
    const phases = async () =>
      (await audit.page({ limit: 10 })).entries.map((one) => one.phase).reverse();
    const seen = await audited.run(operator, { action: 'force' }, phases, () => ({}));
    expect(seen.result).toEqual(['asked']);
    expect(await phases()).toEqual(['asked', 'done']);
  });
});
