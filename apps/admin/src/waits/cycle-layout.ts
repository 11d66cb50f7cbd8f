/**
 * Where the transactions of a cycle of waits are drawn, and the arrows between them. Pure: the picture is
 * the same for every reader. They are on a circle, clockwise in the order of the waits; two face each other.
 */
export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface CycleLayout {
  readonly width: number;
  readonly height: number;
  readonly nodes: readonly Point[];
  /** From each to the next; the last one to the first. */
  readonly arrows: readonly { readonly path: string; readonly label: Point }[];
}

export const NODE_RADIUS = 34;
const WIDTH = 440;
const HEIGHT = 250;
/** What the tip of an arrow keeps from its node. */
const TIP = 5;
const BEND = 38;

export function layoutCycle(count: number): CycleLayout {
  const [rx, ry] = [
    WIDTH / 2 - NODE_RADIUS - 70,
    HEIGHT / 2 - NODE_RADIUS - (count === 2 ? 20 : 8),
  ];
  const start = count === 2 ? Math.PI : -Math.PI / 2;
  const nodes = Array.from({ length: count }, (_, at): Point => {
    const angle = start + (2 * Math.PI * at) / count;
    return { x: WIDTH / 2 + rx * Math.cos(angle), y: HEIGHT / 2 + ry * Math.sin(angle) };
  });
  const arrows = nodes.map((from, at) => arrowOf(from, nodes[(at + 1) % count] as Point));
  return { width: WIDTH, height: HEIGHT, nodes, arrows };
}

function arrowOf(from: Point, to: Point): { path: string; label: Point } {
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const length = Math.hypot(dx, dy) || 1;
  // Outwards, where they go round clockwise; two arrows between the same two so part.
  const bent: Point = {
    x: (from.x + to.x) / 2 + (dy / length) * BEND,
    y: (from.y + to.y) / 2 - (dx / length) * BEND,
  };
  const a = towards(from, bent, NODE_RADIUS);
  const b = towards(to, bent, NODE_RADIUS + TIP);
  const path = `M ${at(a)} Q ${at(bent)} ${at(b)}`;
  return { path, label: { x: (bent.x + (a.x + b.x) / 2) / 2, y: (bent.y + (a.y + b.y) / 2) / 2 } };
}

function towards(from: Point, to: Point, by: number): Point {
  const length = Math.hypot(to.x - from.x, to.y - from.y) || 1;
  return {
    x: from.x + ((to.x - from.x) / length) * by,
    y: from.y + ((to.y - from.y) / length) * by,
  };
}

const at = ({ x, y }: Point): string => `${x.toFixed(1)} ${y.toFixed(1)}`;
