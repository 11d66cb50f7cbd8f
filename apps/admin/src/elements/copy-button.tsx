/**
 * Copies a text and says that it did. Guards "exactly what is shown": what lands in a terminal is the
 * very string on the page.
 */
import { useEffect, useState } from 'react';

const SAID_MS = 1_600;

export function CopyButton({ text, what }: { readonly text: string; readonly what: string }) {
  const [said, setSaid] = useState<'copied' | 'failed' | undefined>();
  useEffect(() => {
    if (!said) return undefined;
    const timer = setTimeout(() => setSaid(undefined), SAID_MS);
    return () => clearTimeout(timer);
  }, [said]);
  const copy = (): void => {
    navigator.clipboard.writeText(text).then(
      () => setSaid('copied'),
      () => setSaid('failed'),
    );
  };
  return (
    <button
      type="button"
      className="button button-small"
      onClick={copy}
      aria-label={`Copy ${what}`}
    >
      <span aria-live="polite">
        {said === 'copied' ? 'Copied' : said === 'failed' ? 'Select and copy manually' : 'Copy'}
      </span>
    </button>
  );
}
