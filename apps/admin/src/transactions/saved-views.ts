/**
 * The saved views of the list. Guards "stuck first": the first is what somebody on call wants.
 */
import type { AdminView } from '@concordat/client';

export interface SavedView {
  readonly view: AdminView;
  readonly name: string;
  readonly says: string;
  /** What an empty one means. */
  readonly empty: string;
}

export const SAVED_VIEWS: readonly SavedView[] = [
  {
    view: 'stuck',
    name: 'Stuck',
    says: 'held up by something outside, worst harm first',
    empty: 'Nothing is stuck',
  },
  {
    view: 'in-doubt',
    name: 'In doubt',
    says: 'prepared, or decided and not confirmed by all',
    empty: 'Nothing is in doubt',
  },
  {
    view: 'deciding',
    name: 'Deciding',
    says: 'not decided yet',
    empty: 'Nothing waits for its decision',
  },
  {
    view: 'heuristic',
    name: 'Heuristic',
    says: 'services disagree, or may',
    empty: 'No services disagree',
  },
  {
    view: 'recent-aborts',
    name: 'Recent aborts',
    says: 'what was aborted, and why',
    empty: 'Nothing was aborted lately',
  },
  { view: 'all', name: 'All', says: 'everything within retention', empty: 'No transactions yet' },
];

export const DEFAULT_VIEW: AdminView = 'stuck';
