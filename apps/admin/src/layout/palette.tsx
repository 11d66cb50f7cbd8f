/**
 * "Go to …": a page, a saved view, or a transaction by its id or the beginning of one. Only goes
 * somewhere; never does anything.
 */
import { useId, useMemo, useState, type KeyboardEvent } from 'react';
import { useLocation } from 'wouter';
import { Dialog } from '../elements/dialog.js';
import { choicesFor, type Choice } from './choices.js';

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
