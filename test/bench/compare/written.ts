/** Puts what was measured between its two markers in a page; throws where the page has none. */
export function between(page: string, name: string, text: string): string {
  const [from, until] = [`<!-- bench: ${name} -->`, `<!-- end of bench: ${name} -->`];
  const [before, after] = [page.indexOf(from), page.indexOf(until)];
  if (before < 0 || after < before) throw new Error(`the page has no place for "${name}": ${from}`);
  return `${page.slice(0, before + from.length)}\n\n${text}\n\n${page.slice(after)}`;
}
