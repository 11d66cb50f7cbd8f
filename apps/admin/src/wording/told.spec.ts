import { labelWords, visible } from './told.js';

describe('What others wrote', () => {
  it('names a character that would turn it around, and leaves every script as it is', () => {
    expect(visible('invoice\u202Egpj.exe')).toBe('invoice⟨U+202E⟩gpj.exe');
    expect(visible('a\u2066b\u2069c\u200Fd')).toBe('a⟨U+2066⟩b⟨U+2069⟩c⟨U+200F⟩d');
    for (const text of ['שלום', 'مرحبا', 'naïve', '日本', '👩‍🚀']) expect(visible(text)).toBe(text);
  });

  it('has a name where there is no label, or none that can be seen', () => {
    expect(labelWords(undefined)).toBe('no label');
    expect(labelWords(undefined, 'Transaction')).toBe('Transaction');
    for (const blank of [' ', '\u3164', '\u200B\u00A0', '\u2800', '\u00AD']) {
      expect(labelWords(blank)).toBe('a label of blanks');
    }
    expect(labelWords(' place-order ')).toBe(' place-order ');
  });
});
