/**
 * A sentence of the coordinator, with names between backticks. Guards "rendered as text": any name is set as
 * text, only in the font of names.
 */
import { visible } from '../wording/told.js';

export function Prose({ text: told }: { readonly text: string }) {
  const text = visible(told);
  const parts = text.split('`');
  // An odd number of backticks is not interpreted.
  if (parts.length % 2 === 0) return <>{text}</>;
  return (
    <>{parts.map((part, index) => (index % 2 === 1 ? <code key={index}>{part}</code> : part))}</>
  );
}
