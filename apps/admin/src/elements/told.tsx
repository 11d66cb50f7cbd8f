/** What others wrote, isolated: its direction ends where it ends. */
import { visible } from '../wording/told.js';

export function Told({ text }: { readonly text: string }) {
  return <bdi>{visible(text)}</bdi>;
}
