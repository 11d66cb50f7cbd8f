/**
 * The smoke part of the crash matrix, and the honesty of its runner: a point that is never hit fails its case,
 * a broken promise too, and a point that cannot be hit is refused before anything starts. All cases run nightly.
 */
import { jest } from '@jest/globals';
import { at, type Case } from '../cases/case.js';
import { itHolds, onStage, runCase } from '../cases/run.js';
import { answered, completed, step } from '../cases/steps.js';
import { MATRIX_STAGE, SMOKE } from './matrix.cases.js';

// Processes are started again and again here, on machines that are busy with other things.
jest.setTimeout(300_000);

onStage('Any process that dies at', MATRIX_STAGE, (stage) => {
  itHolds(
    stage,
    SMOKE.map((row) => ({ ...row, name: `${row.name}, all promises are kept` })),
  );

  it('fails a cell whose point is never hit, though all promises are kept', async () => {
    const never: Case = {
      name: 'a participant that does not abort',
      faults: [at('ledger-west', 'abort.pre', 'kill')],
      sends: 'transfer',
      hears: 'truth',
      ends: 'either',
    };
    await expect(runCase(stage(), never, { reachedMs: 2_000 })).rejects.toThrow(
      /ledger-west to say crash point abort\.pre/,
    );
  });

  it.each([
    [
      'a branch that is not there',
      `DELETE FROM concordat_branch
        WHERE transaction = (SELECT max(transaction) FROM concordat_branch WHERE kind = 'branch')`,
      /is a commit, and ledger-west has nothing of it/,
    ],
    [
      'money that came from nowhere',
      "UPDATE account SET balance = balance + 1 WHERE id = 'bob'",
      /moved.*101/s,
    ],
  ])('fails a case for %s', async (_, change, words) => {
    const changed = step('the west is changed manually', ({ product }) =>
      product.sql('ledger-west', change),
    );
    const broken: Case = {
      name: 'a west that was changed manually',
      faults: [],
      sends: 'transfer',
      then: [answered, completed('committed'), changed],
      hears: 'commit',
      ends: 'commit',
    };
    await expect(runCase(stage(), broken)).rejects.toThrow(words);
  });

  it('fails a case whose client is answered something else than it says', async () => {
    const wrong: Case = {
      name: 'a refused one that is to commit',
      faults: [],
      sends: 'refused',
      hears: 'commit',
      ends: 'commit',
    };
    await expect(runCase(stage(), wrong)).rejects.toThrow(/409/);
  });

  it('refuses to arm what could never be hit', async () => {
    const { product } = stage();
    for (const [crash, words] of [
      ['claim.pre=kill', 'participant has no claim'],
      ['begin.post=drop', 'no reply to drop at begin.post'],
      ['commit.pre=drop', 'no reply to drop at commit.pre'],
      ['commit.pre=explode', 'not a crash point: commit.pre=explode'],
    ] as const) {
      expect(() => product.arm('ledger-west', crash)).toThrow(words);
    }
    const atStart = product.restart('ledger-west', { crash: 'claim.pre=kill' });
    await expect(atStart).rejects.toThrow('participant has no claim');
  });
});
