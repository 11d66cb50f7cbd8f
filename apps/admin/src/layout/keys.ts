/**
 * Which key means what. Guards "no key for anything dangerous": the most a key can do by itself is to
 * look, move, or ask for a retry, which repeats the decision.
 */
export interface KeyMeaning {
  readonly keys: string;
  readonly means: string;
}

export const KEYS: readonly KeyMeaning[] = [
  { keys: 'j / k', means: 'next, previous row' },
  { keys: 'Enter', means: 'open the row' },
  { keys: 'x', means: 'select the row' },
  { keys: '/', means: 'search transactions' },
  { keys: 'r', means: 'on a transaction: retry now; elsewhere: look again' },
  { keys: 'p', means: 'pause or resume live updates' },
  { keys: 'Ctrl K', means: 'go to a page, a view or a transaction' },
  { keys: '?', means: 'this help' },
  { keys: 'Esc', means: 'close what is open' },
];

interface Pressed {
  readonly key: string;
  readonly ctrlKey: boolean;
  readonly metaKey: boolean;
  readonly altKey: boolean;
}

export type Command = 'palette' | 'help' | 'search' | 'next' | 'previous' | 'again' | 'pause';

const PLAIN: Readonly<Record<string, Command>> = {
  '?': 'help',
  '/': 'search',
  j: 'next',
  k: 'previous',
  r: 'again',
  p: 'pause',
};

/** What a key press asks for, if anything; `typing` while a field has the focus. */
export function commandOf(pressed: Pressed, typing: boolean): Command | undefined {
  const { key, ctrlKey, metaKey, altKey } = pressed;
  if ((ctrlKey || metaKey) && !altKey && key.toLowerCase() === 'k') return 'palette';
  if (ctrlKey || metaKey || altKey || typing) return undefined;
  return PLAIN[key];
}
