/**
 * The diagrams of docs/protocol.md, written from the tables that the machines are asserted against: one
 * arrow for two phases, with the events that lead from one to the other. An event that changes nothing is
 * left out.
 */
type Table = Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;

export function diagramOf(table: Table): string {
  const [first] = Object.keys(table);
  const lines = Object.entries(table).flatMap(([from, events]) => {
    const arrows = new Map<string, string[]>();
    for (const [event, all] of Object.entries(events)) {
      for (const to of all) {
        if (to !== from) arrows.set(to, [...(arrows.get(to) ?? []), event]);
      }
    }
    return [...arrows].map(([to, labels]) => `  ${from} --> ${to}: ${labels.join(', ')}`);
  });
  return ['stateDiagram-v2', `  [*] --> ${first}`, ...lines, ''].join('\n');
}
