import fc from 'fast-check';
import {
  GID_BYTES_MAX,
  formatGid,
  gidPrefix,
  isParticipantName,
  isTransactionId,
  lowestTransactionIdAt,
  madeAtMs,
  makeBranchId,
  makeTransactionId,
  markTransactionId,
  ownerOf,
  parseGid,
  tokenFrom,
  unmarkedPart,
} from './index.js';

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const ids = fc
  .tuple(fc.integer({ min: 0, max: 2 ** 47 }), bytes(10), bytes(8))
  .map(([ms, random, token]) => ({
    ms,
    id: makeTransactionId(ms, random, tokenFrom(token)),
    owner: tokenFrom(token),
  }));

describe('A transaction id', () => {
  it('names its owner and the time it was made, and is well formed', () => {
    fc.assert(
      fc.property(ids, ({ ms, id, owner }) => {
        expect(isTransactionId(id)).toBe(true);
        expect(ownerOf(id)).toBe(owner);
        expect(madeAtMs(id)).toBe(ms);
      }),
    );
  });

  it('holds UUIDv7 bits: version 7, variant 10 (RFC 9562)', () => {
    fc.assert(
      fc.property(ids, ({ id }) => {
        const digits = '0123456789abcdefghjkmnpqrstvwxyz';
        const bits = [...id.slice(0, 26)].reduce(
          (sum, digit) => sum * 32n + BigInt(digits.indexOf(digit)),
          0n,
        );
        expect(bits.toString(16).padStart(32, '0')).toMatch(/^[0-9a-f]{12}7[0-9a-f]{3}[89ab]/);
      }),
    );
  });

  it('holds every bit of its time and the last 74 random bits, in their order', () => {
    const digits = '0123456789abcdefghjkmnpqrstvwxyz';
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 48 - 1 }), bytes(10), (ms, random) => {
        const id = makeTransactionId(ms, random, tokenFrom(new Uint8Array(8)));
        const bits = [...id.slice(0, 26)].reduce(
          (sum, digit) => sum * 32n + BigInt(digits.indexOf(digit)),
          0n,
        );
        const drawn = random.reduce((sum, byte) => sum * 256n + BigInt(byte), 0n);
        const high = (BigInt(ms) << 16n) | 0x7000n | ((drawn >> 62n) & 0xfffn);
        expect(bits).toBe((high << 64n) | (2n << 62n) | (drawn & (2n ** 62n - 1n)));
      }),
    );
  });

  it('sorts by the time it was made', () => {
    fc.assert(
      fc.property(ids, ids, (a, b) => {
        if (a.ms < b.ms) expect(a.id < b.id).toBe(true);
      }),
    );
  });

  it('keeps time, owner and form when it is marked, and a mark changes nothing but its own bits', () => {
    fc.assert(
      fc.property(ids, bytes(4), bytes(4), ({ ms, id }, mark, another) => {
        const marked = markTransactionId(id, mark);
        expect(isTransactionId(marked)).toBe(true);
        expect(madeAtMs(marked)).toBe(ms);
        expect(ownerOf(marked)).toBe(ownerOf(id));
        expect(unmarkedPart(marked)).toBe(unmarkedPart(id));
        expect(markTransactionId(marked, another)).toBe(markTransactionId(id, another));
      }),
    );
    const zero = lowestTransactionIdAt(1);
    const marks = Array.from({ length: 30 }, (_, bit) => {
      const mark = new Uint8Array(4);
      mark[3 - (bit >> 3)] = 1 << (bit & 7);
      return markTransactionId(zero, mark);
    });
    expect(new Set(marks).size).toBe(30);
  });

  it('is never below the retention mark of its own millisecond', () => {
    fc.assert(fc.property(ids, ({ ms, id }) => expect(id >= lowestTransactionIdAt(ms)).toBe(true)));
  });
});

describe('A gid', () => {
  it('round-trips, fits an XA gtrid and needs no quoting', () => {
    fc.assert(
      fc.property(ids, bytes(8), fc.integer({ min: 1, max: 9999 }), ({ id }, token, ordinal) => {
        const parts = { cluster: tokenFrom(token), transaction: id, branch: makeBranchId(ordinal) };
        const gid = formatGid(parts);
        expect(parseGid(gid)).toEqual(parts);
        expect(gid.length).toBeLessThanOrEqual(GID_BYTES_MAX);
        expect(gid).toMatch(/^[A-Za-z0-9_.:-]+$/);
        expect(gid.startsWith(gidPrefix(parts.cluster))).toBe(true);
      }),
    );
  });

  it('is never made of anything else', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const parts = parseGid(text);
        if (parts) expect(formatGid(parts)).toBe(text);
      }),
    );
    expect(parseGid("cc:abcdefgh:x';drop table a;--:1")).toBeUndefined();
  });

  it('refuses parts that would not parse again', () => {
    const bad = { cluster: "a'b", transaction: 'x', branch: '1' } as never;
    expect(() => formatGid(bad)).toThrow(RangeError);
  });
});

describe('A participant name', () => {
  it.each(['ledger-east', 'a', 'a1'])('may be %s', (name) => {
    expect(isParticipantName(name)).toBe(true);
  });
  it.each(['', 'A', '1a', 'a.b', 'a>', 'a*', 'a b', "a'", 'a'.repeat(33), 'a\n'])(
    'may not be %j',
    (name) => {
      expect(isParticipantName(name)).toBe(false);
    },
  );
});
