/**
 * "Go to …": a page, a saved view, or a transaction by its id or the beginning of one. Only goes
 * somewhere; never does anything.
 */
import { useId, useMemo, useState, type KeyboardEvent } from 'react';
import { useLocation } from 'wouter';
import { Dialog } from '../elements/dialog.js';
import { SAVED_VIEWS } from '../transactions/saved-views.js';
import { PAGES } from './pages.js';

interface Choice {
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

export function Palette({ onClose }: { readonly onClose: () => void }) {
  const [, navigate] = useLocation();
  const [typed, setTyped] = useState('');
  const [at, setAt] = useState(0);
  const list = useId();
  const choices = useMemo(() => choicesFor(typed), [typed]);
  const current = Math.min(at, choices.length - 1);
  const go = (choice: Choice | undefined): void => {
    if (!choice) return;
    onClose();
    navigate(choice.path);
  };
  const press = (event: KeyboardEvent): void => {
    const moves: Readonly<Record<string, number>> = { ArrowDown: 1, ArrowUp: -1 };
    const by = moves[event.key];
    if (by !== undefined) setAt((current + by + choices.length) % Math.max(1, choices.length));
    else if (event.key === 'Enter') go(choices[current]);
    else return;
    event.preventDefault();
  };
  return (
    <Dialog title="Go to" onClose={onClose}>
      <input
        className="input"
        placeholder="page, view, or transaction id"
        aria-label="Page, view, or transaction id"
        role="combobox"
        aria-expanded="true"
        aria-controls={list}
        aria-activedescendant={choices.length > 0 ? `${list}-${current}` : undefined}
        autoFocus
        value={typed}
        onChange={(event) => {
          setTyped(event.target.value);
          setAt(0);
        }}
        onKeyDown={press}
      />
      <ul className="palette" id={list} role="listbox" aria-label="Where to go">
        {choices.map((choice, index) => (
          <li
            key={choice.path}
            id={`${list}-${index}`}
            role="option"
            aria-selected={index === current}
            onClick={() => go(choice)}
          >
            <strong>{choice.name}</strong>
            <span className="muted">{choice.says}</span>
          </li>
        ))}
      </ul>
      {choices.length === 0 ? <p className="muted">Nothing is called like that.</p> : null}
    </Dialog>
  );
}
