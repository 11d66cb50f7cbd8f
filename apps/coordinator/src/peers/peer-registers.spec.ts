/** What is concluded from looking at each other's heartbeats, and when an answer may be given again. */
import type { RegisterName } from '@concordat/decision-log';
import type { Incarnation } from '@concordat/protocol';
import { PeerRegisters } from './peer-registers.js';

const OWN: RegisterName = { system: '1', timeline: 1, database: 'concordat', oid: 10 };
const CLONE: RegisterName = { database: 'copy', oid: 11 };
const ONE = 'c00rd1n1' as Incarnation;
const TWO = 'c00rd1n2' as Incarnation;

describe('The registers of peers', () => {
  let said: string[];
  let again: number;
  let peers: PeerRegisters;

  beforeEach(() => {
    said = [];
    again = 0;
    peers = new PeerRegisters({ warn: (text) => said.push(text) });
    peers.onOneAgain(() => (again += 1));
  });

  it('keep everything from being answered until they have been compared', () => {
    expect(peers.fault()).toMatch(/have not been compared/);
    peers.looked(ONE, true);
    expect(peers.fault()).toMatch(/have not been compared/);
    peers.compared(OWN);
    expect(peers.fault()).toBeUndefined();
    expect(said).toEqual([]);
  });

  it.each([
    ['we do not find what it has written', (seen: boolean) => peers.looked(ONE, seen, CLONE)],
    ['it does not find what we have written', (seen: boolean) => peers.told(ONE, seen, CLONE)],
  ])('are different when %s', (_, compare) => {
    peers.compared(OWN);
    compare(true);
    expect(peers.known()).toMatchObject({ ok: true });
    compare(false);
    expect(peers.others()).toEqual([ONE]);
    expect(peers.known()).toMatchObject({ ok: false, detail: expect.stringContaining(ONE) });
    expect(peers.described()).toBe(
      'this one on database concordat (oid 10) of server 1, timeline 1; ' +
        `${ONE} on database copy (oid 11) of server of unknown identity`,
    );
    expect(said).toEqual([expect.stringContaining('another register under this cluster id')]);
    compare(true);
    expect(peers.fault()).toBeUndefined();
    expect(again).toBe(2); // Compared at first, and one again.
  });

  it('are not one because the clone holds what was written before it was made', () => {
    peers.compared(OWN);
    peers.looked(ONE, false);
    peers.told(ONE, true); // It was asked about a heartbeat that has been copied.
    expect(peers.others()).toEqual([ONE]);
    peers.looked(ONE, true);
    expect(peers.others()).toEqual([]);
  });

  it('may be answered from once the last of the others is gone', () => {
    peers.compared(OWN);
    peers.looked(ONE, false);
    peers.told(TWO, false);
    peers.gone(ONE);
    expect(peers.others()).toEqual([TWO]);
    expect(again).toBe(1);
    peers.gone(TWO);
    expect(peers.fault()).toBeUndefined();
    expect(again).toBe(2);
    expect(said.at(-1)).toMatch(/every coordinator that is there works on this register/);
  });
});
