/**
 * What every implementation of the DecisionRegister port makes of claims of keys: one of them at a time, replaced by
 * who names it, and none beside a commit that holds the key.
 */
import type { KeyClaim } from '@concordat/engine';
import { waitFor } from '@concordat/testing';
import {
  commitOf,
  freshKey,
  freshTransaction,
  standingIn,
  type RegisterHarness,
} from './decision-register.js';

export function describeKeyClaims(name: string, create: () => Promise<RegisterHarness>): void {
  describe(`${name} as the register of claimed keys`, () => {
    let h: RegisterHarness;
    beforeAll(async () => (h = await create()));
    afterAll(() => h.close());

    it('gives one of 50 simultaneous claims of a key the claim, and names the holder to the others', async () => {
      const key = freshKey();
      const claims = Array.from({ length: 50 }, (_, at) => ({
        key,
        fingerprint: `f00d${at}`,
        claimant: freshTransaction(),
      }));
      const told = await Promise.all(
        claims.map((claim, at) => (at % 2 === 0 ? h.register : h.other).claim(claim)),
      );
      const [first] = told;
      expect(told).toEqual(claims.map(() => first));
      expect(claims.map((claim) => ({ kind: 'claim', claim }))).toContainEqual(first);
    });

    it('lets a claim be replaced by who names it, and not by who names an earlier one', async () => {
      const key = freshKey();
      const [first, second, third] = [1, 2, 3].map(() => ({
        key,
        fingerprint: 'f00d',
        claimant: freshTransaction(),
      }));
      if (!first || !second || !third) throw new Error('three claims');
      await h.register.claim(first);
      expect(await h.other.claim(second, third.claimant)).toEqual({ kind: 'claim', claim: first });
      expect(await h.other.claim(second, first.claimant)).toEqual({ kind: 'claim', claim: second });
      expect(await h.register.claim(third, first.claimant)).toEqual({
        kind: 'claim',
        claim: second,
      });
    });

    const untilClaimed = (claim: KeyClaim) =>
      waitFor(
        async () => {
          const told = await h.other.claim(claim);
          return told.kind === 'claim' && told.claim.claimant === claim.claimant;
        },
        { what: 'the claim before to be taken back' },
      );

    it('takes back the claim on record, and leaves another’s alone', async () => {
      const key = freshKey();
      const ours = { key, fingerprint: 'f00d', claimant: freshTransaction() };
      const theirs = { ...ours, claimant: freshTransaction() };
      const last = { ...ours, key: freshKey() };
      await h.register.claim(ours);
      await h.register.claim(last);
      h.register.unclaim(theirs);
      h.register.unclaim(last);
      await untilClaimed({ ...theirs, key: last.key });
      expect(await h.other.claim(theirs)).toEqual({ kind: 'claim', claim: ours });
      h.register.unclaim(ours);
      await untilClaimed(theirs);
    });

    it('answers a claim of a commit’s key with that commit, for any claim', async () => {
      const key = freshKey();
      const transaction = freshTransaction();
      const claim = { key, fingerprint: 'f00d', claimant: freshTransaction() };
      await h.register.claim(claim);
      const held = standingIn(
        await h.register.decide(
          commitOf(transaction, { idempotency: { key, fingerprint: 'f00d' } }),
        ),
      );
      expect(await h.other.claim(claim)).toEqual({ kind: 'stored', standing: held });
    });
  });
}
