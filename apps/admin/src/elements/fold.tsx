/**
 * A long list of which a few are shown. Guards "what needs attention is in sight": sixty-four branches do
 * not push away what comes below them, and one click shows them all.
 */
import { useState, type ReactNode } from 'react';
import { count } from '../wording/format.js';

interface Fold<Item> {
  readonly shown: readonly Item[];
  /** The button that unfolds and folds again; null where all are shown anyway. */
  readonly button: ReactNode;
}

/** `pick` says which are shown, at most so many; the first of them where it is left out. */
export function useFold<Item>(
  items: readonly Item[],
  {
    most,
    what,
    pick = (all, few) => all.slice(0, few),
  }: {
    readonly most: number;
    readonly what: string;
    readonly pick?: (items: readonly Item[], most: number) => readonly Item[];
  },
): Fold<Item> {
  const [open, setOpen] = useState(false);
  if (items.length <= most) return { shown: items, button: null };
  const shown = open ? items : pick(items, most);
  const button = (
    <p className="fold">
      <button
        type="button"
        className="button button-small"
        aria-expanded={open}
        onClick={() => setOpen(!open)}
      >
        {open ? `Show fewer ${what}` : `Show all ${count(items.length)} ${what}`}
      </button>
      {open ? null : (
        <span className="muted">
          {count(items.length - shown.length)} more {what}
        </span>
      )}
    </p>
  );
  return { shown, button };
}
