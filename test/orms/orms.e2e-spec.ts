/**
 * Every ORM in a branch, in one process and one transaction, on the real product: what each adapter
 * promises. `orms.nightly.ts` shows the same for each by itself.
 */
import { showNestClient } from './nest-client.js';
import { showNestForms } from './nest-forms.js';
import { each, showThat } from './showing.js';
import { ORMS } from './stage.js';

describe('An ORM on a pool of the branch', () => {
  showThat(ORMS, (stage) => {
    describe('with a client in Nest', () => showNestClient(stage));

    describe('beside modules in every form of Nest', () => showNestForms(stage));

    it('would share a query of Prisma between branches without the guard of its adapter', async () => {
      const meet = (sku: string, other: string) =>
        stage().transaction({ prisma: ['unguarded-meet', { sku, other }] });
      const answers = await Promise.all([meet('east', 'west'), meet('west', 'east')]);
      const outputs = answers.map(({ body }) => body['branches']?.[0]?.['outputs']?.[0]);
      expect(outputs).not.toEqual([
        { mine: 1, theirs: null },
        { mine: 1, theirs: null },
      ]);
    });

    it('shows in one trace what a transaction did, at the coordinator and at each participant', async () => {
      const { body } = await stage().transaction(each(ORMS, () => ['insert', { sku: 'traced' }]));
      const spans = stage().spansOf(String(body['transactionId']));
      const root = spans.find(({ name }) => name === 'concordat transaction');
      const seen = spans
        .filter(({ parent }) => parent === root?.spanId)
        .map(({ name, attributes }) => [
          name,
          attributes['concordat.participant'],
          attributes['concordat.answer'],
        ]);
      const expected = ORMS.flatMap((orm) => [
        ['concordat prepare', `stock-${orm}`, 'prepared'],
        ['concordat commit', `stock-${orm}`, 'committed'],
      ]);
      expect(seen.sort()).toEqual(expected.sort());
      expect(spans).toHaveLength(1 + expected.length);
    });

    it('refuses a Prisma model that was kept from another branch', async () => {
      const keep = async () => (await stage().transaction({ prisma: ['keep', {}] })).body;
      const [first, second] = [await keep(), await keep()];
      expect(first['branches'][0]['outputs'][0]['isRefused']).toBe(false);
      expect(second['branches'][0]['outputs'][0]['isRefused']).toBe(true);
    });
  });
});
