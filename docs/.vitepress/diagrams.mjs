// Draws the state diagrams of the pages as SVG, without a network and without a browser. Guards "one text
// for a diagram": the pages carry Mermaid's text, which is read here and drawn by Graphviz.

import { instance } from '@viz-js/viz';

export const makeGraphs = () => instance();

const ARROW = /^\s*(\[\*\]|[\w-]+)\s*-->\s*(\[\*\]|[\w-]+)\s*(?::\s*(.+?))?\s*$/;

/** The diagram as SVG; undefined where the text is no state diagram that is understood line by line. */
export function diagramOf(text, graphs) {
  const [first, ...lines] = text.trim().split('\n');
  if (first.trim() !== 'stateDiagram-v2') return undefined;
  const arrows = [];
  for (const line of lines) {
    if (line.trim() === '' || /^\s*(direction|%%)/.test(line)) continue;
    const found = ARROW.exec(line);
    if (!found) return undefined;
    arrows.push({ from: found[1], to: found[2], says: found[3] ?? '' });
  }
  const svg = graphs.renderString(dotOf(arrows), { format: 'svg', engine: 'dot' });
  const width = Number(/<svg width="([\d.]+)pt"/.exec(svg)?.[1] ?? 500);
  return svg
    .slice(svg.indexOf('<svg'))
    .replace(
      /<svg [^>]*viewBox/,
      `<svg style="width:100%;max-width:${Math.round(width)}px" viewBox`,
    )
    .replace(/font-size="([\d.]+)"/g, (_, size) => `font-size="${Number(size) - ROOM}"`);
}

/** Graphviz lays out with the measures of a narrow font; what is drawn is smaller by so much, and fits any. */
const ROOM = 3;

function dotOf(arrows) {
  const quoted = (words) => JSON.stringify(words);
  const names = new Set(arrows.flatMap(({ from, to }) => [from, to]));
  names.delete('[*]');
  const edges = arrows.map(({ from, to, says }) => {
    const [a, b] = [from === '[*]' ? 'begin' : from, to === '[*]' ? 'end' : to];
    return `  ${quoted(a)} -> ${quoted(b)} [label=${quoted(wrapped(says))}];`;
  });
  const dot = (name) =>
    `  ${name} [shape=circle width=0.14 label="" style=filled fillcolor=black];`;
  return [
    'digraph states {',
    '  graph [rankdir=TB bgcolor=transparent nodesep=0.5 ranksep=0.6];',
    '  node [shape=box style="rounded,filled" fillcolor="#f6f6f3" color="#5d605c" fontname="Helvetica,Arial,sans-serif" fontsize=16];',
    '  edge [color="#5d605c" fontcolor="#5d605c" fontname="Helvetica,Arial,sans-serif" fontsize=14];',
    ...(arrows.some(({ from }) => from === '[*]') ? [dot('begin')] : []),
    ...(arrows.some(({ to }) => to === '[*]') ? [dot('end')] : []),
    ...[...names].map((name) => `  ${quoted(name)};`),
    ...edges,
    '}',
  ].join('\n');
}

/** Long words on an arrow in lines of about so many letters. */
function wrapped(says, most = 26) {
  const lines = [''];
  for (const word of says.split(' ')) {
    const line = lines.at(-1);
    if (line !== '' && line.length + word.length + 1 > most) lines.push(word);
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`;
  }
  return lines.map((line) => ` ${line} `).join('\n');
}
