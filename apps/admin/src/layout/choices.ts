/**
 * What "Go to …" offers for what has been typed. Guards "only goes somewhere": a choice is an address.
 */
import { SAVED_VIEWS } from '../transactions/saved-views.js';
import { PAGES } from './pages.js';

export interface Choice {
  readonly name: string;
  readonly says: string;
  readonly path: string;
}

const FIXED: readonly Choice[] = [
  ...PAGES,
  ...SAVED_VIEWS.map(({ view, name, says }) => ({
    name: `Transactions: ${name}`,
    says,
    path: `/transactions?view=${view}`,
  })),
  { name: 'Open a dossier', says: 'an exported transaction, read-only', path: '/dossier' },
];

export function choicesFor(typed: string): readonly Choice[] {
  const wanted = typed.trim();
  if (wanted === '') return FIXED;
  const words = wanted.toLowerCase();
  const found = FIXED.filter(({ name, says }) => `${name} ${says}`.toLowerCase().includes(words));
  if (!/^[0-9a-z][\w.:-]{3,}$/i.test(wanted)) return found;
  const id = encodeURIComponent(wanted);
  return [
    ...found,
    { name: `Transaction ${wanted}`, says: 'by its whole id', path: `/transactions/${id}` },
    {
      name: `Transactions that begin with ${wanted}`,
      says: 'by the beginning of an id',
      path: `/transactions?view=all&q=${id}`,
    },
  ];
}
