/**
 * A modal dialog on the browser's own <dialog>: it holds the focus, Escape closes it, and the focus
 * returns to where it was. Guards "no action by accident": a click beside it changes nothing.
 */
import { useEffect, useId, useRef, type ReactNode } from 'react';

const FIRST = '.dialog-body :is(input, textarea, select, button):not(:disabled)';

export function Dialog({
  title,
  onClose,
  children,
  tone = 'calm',
  wide = false,
}: {
  readonly title: string;
  readonly onClose: () => void;
  readonly children: ReactNode;
  readonly tone?: 'calm' | 'danger';
  readonly wide?: boolean;
}) {
  const element = useRef<HTMLDialogElement>(null);
  const heading = useId();
  useEffect(() => {
    const before = document.activeElement;
    element.current?.showModal();
    // By itself the focus would go to the first thing that takes it: the button that closes.
    element.current?.querySelector<HTMLElement>(FIRST)?.focus();
    return () => {
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return (
    <dialog
      ref={element}
      className={`dialog dialog-${tone}${wide ? ' dialog-wide' : ''}`}
      aria-labelledby={heading}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
    >
      <header className="dialog-head">
        <h2 id={heading}>{title}</h2>
        <button type="button" className="button button-quiet" onClick={onClose}>
          Close
        </button>
      </header>
      <div className="dialog-body">{children}</div>
    </dialog>
  );
}
