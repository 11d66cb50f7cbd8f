/** Keys and the palette only ever look, move or go. */
import { choicesFor } from './choices.js';
import { commandOf } from './keys.js';

const press = (key: string, more = {}) => ({
  key,
  ctrlKey: false,
  metaKey: false,
  altKey: false,
  ...more,
});

describe('A key', () => {
  it('means nothing during typing, except the way to the palette', () => {
    expect(commandOf(press('r'), true)).toBeUndefined();
    expect(commandOf(press('k', { ctrlKey: true }), true)).toBe('palette');
    expect(commandOf(press('k', { metaKey: true }), false)).toBe('palette');
  });

  it('moves, searches and looks again', () => {
    expect(['j', 'k', '/', 'r', '?', 'p'].map((key) => commandOf(press(key), false))).toEqual([
      'next',
      'previous',
      'search',
      'again',
      'help',
      'pause',
    ]);
  });

  it('of the browser stays with the browser', () => {
    expect(commandOf(press('r', { ctrlKey: true }), false)).toBeUndefined();
    expect(commandOf(press('j', { altKey: true }), false)).toBeUndefined();
  });
});

describe('The palette', () => {
  it('finds pages, views and transactions', () => {
    expect(choicesFor('')[0]?.path).toBe('/');
    expect(choicesFor('heuris').map((one) => one.path)).toContain('/transactions?view=heuristic');
    expect(choicesFor('0193f4c2').map((one) => one.path)).toEqual([
      '/transactions/0193f4c2',
      '/transactions?view=all&q=0193f4c2',
    ]);
  });
});
