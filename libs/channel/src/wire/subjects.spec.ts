import type { ClusterId, Incarnation, InstanceId, ParticipantName } from '@concordat/protocol';
import {
  isBranchId,
  isClusterId,
  isParticipantName,
  isTransactionId,
  makeTransactionId,
} from '@concordat/protocol';
import * as field from './fields.js';
import { jsonFault } from './json-bounds.js';
import { JSON_DEPTH_MAX } from './limits.js';
import { DISCOVERY_REPLY_PREFIX, DISCOVERY_SUBJECT, liesBelow, Subjects } from './subjects.js';

const subjects = new Subjects('clustr01' as ClusterId);
const east = 'ledger-east' as ParticipantName;
const instance = 'inst0001' as InstanceId;
const owner = 'coordr01' as Incarnation;

describe('a reply subject', () => {
  it.each([
    ['the own inbox', subjects.replyToCommand(east, owner, 'token000'), true],
    ['a command subject', subjects.command(east, 'commit'), false],
    ['the inbox of a participant whose name begins alike', `${inbox().slice(0, -1)}2.x.y`, false],
    ['the prefix alone', inbox(), false],
    ['a wildcard', `${inbox()}*`, false],
    ['a full wildcard', `${inbox()}x.>`, false],
    ['an empty token', `${inbox()}x..y`, false],
    ['a dot at the end', `${inbox()}x.`, false],
    ['a blank', `${inbox()}x y`, false],
    ['nothing', undefined, false],
  ])('that is %s', (_what, reply, below) => {
    expect(liesBelow(reply, inbox())).toBe(below);
  });
});

function inbox(): string {
  return subjects.commandReplyPrefix(east);
}

describe('subjects', () => {
  it('of one cluster never meet those of another, nor discovery, with any names of clusters', () => {
    const unlucky = new Subjects('discover' as ClusterId);
    const one = unlucky.command(east, 'commit');
    expect(one.startsWith(`${DISCOVERY_SUBJECT}.`)).toBe(true);
    expect(one).not.toBe(DISCOVERY_SUBJECT);
    expect(liesBelow(one, DISCOVERY_REPLY_PREFIX)).toBe(false);
  });

  it('to any instance and to one never overlap', () => {
    const any = subjects.command(east, 'commit').split('.');
    const own = subjects.command(east, 'commit', instance).split('.');
    expect(own).toHaveLength(any.length + 1);
  });
});

describe('ids on the wire', () => {
  it('are those of the protocol', () => {
    const transaction = makeTransactionId(Date.now(), new Uint8Array(10), owner);
    const candidates = [
      ...['', 'a', '1', '0', '9999', '10000', 'abcd1234', 'ABCD1234', 'ledger-east', '-east'],
      ...['x'.repeat(32), 'x'.repeat(33), 'a.b', 'a*', 'a b', transaction, `${transaction}x`],
    ];
    for (const text of candidates) {
      const same = [
        [field.cluster.safeParse(text).success, isClusterId(text)],
        [field.participant.safeParse(text).success, isParticipantName(text)],
        [field.transaction.safeParse(text).success, isTransactionId(text)],
        [field.branch.safeParse(text).success, isBranchId(text)],
      ];
      for (const [wire, protocol] of same) expect({ text, wire }).toEqual({ text, wire: protocol });
    }
  });
});

describe('free-form JSON', () => {
  const nested = (levels: number): unknown => (levels === 0 ? 1 : { a: nested(levels - 1) });

  it('may nest so deep and no deeper, and a million levels cost no stack', () => {
    expect(jsonFault(nested(JSON_DEPTH_MAX))).toBeUndefined();
    expect(jsonFault(nested(JSON_DEPTH_MAX + 1))).toMatchObject({
      what: expect.stringContaining('deeper') as string,
    });
    let deep: unknown = 1;
    for (let i = 0; i < 1_000_000; i++) deep = [deep];
    expect(jsonFault(deep)).toMatchObject({ what: expect.stringContaining('deeper') as string });
  });

  it('has no key that reaches a prototype', () => {
    const planted: unknown = JSON.parse('{"a":[{"__proto__":{"admin":true}}]}');
    expect(jsonFault(planted)).toEqual({ path: 'a.0', what: 'has a key named __proto__' });
  });
});
