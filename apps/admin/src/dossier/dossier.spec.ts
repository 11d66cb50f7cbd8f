/** A dossier comes back as it was, and nothing else is taken for one. */
import type { AdminTransaction } from '@concordat/client';
import { dossierName, makeDossier, readDossier } from './dossier.js';

const DETAIL: AdminTransaction = {
  transaction: {
    transactionId: '../../etc',
    owner: 'one',
    status: 'committing',
    branches: [],
    version: 1,
    serverTime: '2026-11-21T12:00:00.000Z',
  },
  explanation: { why: '<script>1</script>', next: 'nothing', severity: 'stuck' },
  branches: [],
  events: [],
  actions: [],
  audit: [],
  etag: 'W/"1"',
  serverTime: '2026-11-21T12:00:00.000Z',
};

describe('A dossier', () => {
  it('is read back exactly as it was made', () => {
    expect(readDossier(JSON.stringify(makeDossier(DETAIL)))).toEqual(makeDossier(DETAIL));
  });

  it('has a file name that no transaction id can lead astray', () => {
    expect(dossierName(DETAIL)).toBe('concordat-.._.._etc-2026-11-21T12-00-00-000Z.json');
  });

  it.each([
    ['not JSON', '{', /not JSON/],
    ['something else', '{"format":"holiday"}', /no dossier/],
    ['null', 'null', /no dossier/],
    ['a newer one', JSON.stringify({ ...makeDossier(DETAIL), version: 2 }), /version 2/],
    [
      'one without events',
      JSON.stringify(makeDossier({ ...DETAIL, events: null as never })),
      /events/,
    ],
    [
      'one with a damaged branch',
      JSON.stringify(makeDossier({ ...DETAIL, branches: [{}] as never })),
      /branches/,
    ],
    ['one without a time', JSON.stringify(makeDossier({ ...DETAIL, serverTime: 'x' })), /time/],
  ])('is refused with the reason when it is %s', (_what, text, says) => {
    expect(readDossier(text)).toEqual({ refused: expect.stringMatching(says) });
  });
});
