/**
 * The keyboard, in one place. Pages answer to a command by an element that carries `data-command`; rows
 * by `data-row`. Guards "keyboard alone", and that a dialog keeps the keys to itself.
 */
import { useEffect, useState } from 'react';
import { useLocation } from 'wouter';
import { Dialog } from '../elements/dialog.js';
import { useLive } from '../live/live.js';
import { commandOf, KEYS, type Command } from './keys.js';
import { Palette } from './palette.js';

export function Keyboard() {
  const [open, setOpen] = useState<'palette' | 'help' | undefined>();
  const [, navigate] = useLocation();
  const { refresh, setPaused, freshness } = useLive();
  useEffect(() => {
    const obey = (command: Command): void => {
      if (command === 'palette' || command === 'help') setOpen(command);
      else if (command === 'search') focusSearch(() => navigate('/transactions'));
      else if (command === 'pause') setPaused(freshness !== 'paused');
      else if (command === 'again')
        (commandElement('again')?.click ?? refresh).call(commandElement('again'));
      else moveRow(command === 'next' ? 1 : -1);
    };
    const press = (event: KeyboardEvent): void => {
      if (event.defaultPrevented) return;
      const command = commandOf(event, isTyping(event.target));
      if (!command || (document.querySelector('dialog[open]') && command !== 'palette')) return;
      if (document.querySelector('dialog[open]')) return;
      event.preventDefault();
      obey(command);
    };
    const click = (event: MouseEvent): void => {
      const from = event.target instanceof Element ? event.target.closest('[data-command]') : null;
      const command = from?.getAttribute('data-command');
      if (command === 'palette' || command === 'help') setOpen(command);
    };
    document.addEventListener('keydown', press);
    document.addEventListener('click', click);
    return () => {
      document.removeEventListener('keydown', press);
      document.removeEventListener('click', click);
    };
  }, [navigate, refresh, setPaused, freshness]);
  if (open === 'palette') return <Palette onClose={() => setOpen(undefined)} />;
  if (open === 'help') return <Help onClose={() => setOpen(undefined)} />;
  return null;
}

function Help({ onClose }: { readonly onClose: () => void }) {
  return (
    <Dialog title="Keys" onClose={onClose}>
      <dl className="keys">
        {KEYS.map(({ keys, means }) => (
          <div key={keys}>
            <dt>
              <kbd>{keys}</kbd>
            </dt>
            <dd>{means}</dd>
          </div>
        ))}
      </dl>
      <p className="muted">No key aborts, forces or acknowledges anything: those need a dialog.</p>
    </Dialog>
  );
}

function isTyping(target: EventTarget | null): boolean {
  return (
    (target instanceof HTMLInputElement && target.type !== 'checkbox') ||
    target instanceof HTMLTextAreaElement ||
    target instanceof HTMLSelectElement
  );
}

function commandElement(name: string): HTMLElement | null {
  return document.querySelector<HTMLElement>(`[data-command="${name}"]:not(:disabled)`);
}

function focusSearch(goThere: () => void): void {
  const field = commandElement('search');
  if (field) return field.focus();
  goThere();
  // The page of the search field is drawn next.
  requestAnimationFrame(() => requestAnimationFrame(() => commandElement('search')?.focus()));
}

function moveRow(by: 1 | -1): void {
  const rows = [...document.querySelectorAll<HTMLElement>('[data-row]')];
  if (rows.length === 0) return;
  const at = rows.findIndex((row) => row.contains(document.activeElement));
  const next = rows[at < 0 ? (by > 0 ? 0 : rows.length - 1) : at + by];
  next?.focus();
}
