/**
 * Which handler serves a method and a path. A path is static segments and `:name`, each of which takes one
 * segment that is not empty; static segments are compared whatever their case, and a slash at the end says
 * nothing. HEAD is served where GET is. A static segment is tried before a name. Guards "405 is not 404": a path
 * that exists is distinguished from one that does not, from the same table.
 */

export interface Found<Handler> {
  readonly handler: Handler;
  readonly params: Readonly<Record<string, string>>;
}

interface Node<Handler> {
  readonly fixed: Map<string, Node<Handler>>;
  any?: Node<Handler>;
  /** By method, with the names of its path's segments, in their order. */
  readonly handlers: Map<string, { readonly handler: Handler; readonly names: readonly string[] }>;
}

/** Of HTTP, those that routes are written for; HEAD goes with GET. */
const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;

const NONE: Readonly<Record<string, string>> = Object.freeze({});

export class Routes<Handler> {
  private readonly root = node<Handler>();
  /** Paths without names, as they are written mostly. */
  private readonly plain = new Map<string, Handler>();

  /** The first that is added for a method and a path serves it. Throws for a path of another form. */
  add(method: string, path: string, handler: Handler): void {
    const names: string[] = [];
    let at = this.root;
    for (const segment of segmentsOf(path)) {
      if (!/^(:\w+|[\w.~-]+)$/.test(segment)) {
        throw new Error(`a route is made of plain segments and :names, not "${path}"`);
      }
      if (segment.startsWith(':')) {
        names.push(segment.slice(1));
        at = at.any ??= node();
      } else {
        at = child(at, segment.toLowerCase());
      }
    }
    if (at.handlers.has(method)) return;
    at.handlers.set(method, { handler, names });
    if (names.length === 0) this.plain.set(`${method} /${segmentsOf(path).join('/')}`, handler);
  }

  /** What serves it; undefined where nothing does. Throws a URIError for a name that cannot be decoded. */
  find(method: string, path: string): Found<Handler> | undefined {
    const plain = this.plain.get(`${method} ${path}`);
    if (plain !== undefined) return { handler: plain, params: NONE };
    if (!path.startsWith('/')) return undefined;
    const values: string[] = [];
    const found =
      search(this.root, segmentsOf(path), 0, method, values) ??
      (method === 'HEAD' ? search(this.root, segmentsOf(path), 0, 'GET', values) : undefined);
    if (!found) return undefined;
    const params = Object.fromEntries(
      found.names.map((name, at) => [name, decodeURIComponent(values[at] ?? '')]),
    );
    return { handler: found.handler, params };
  }

  /** The methods that a path serves, whatever its names decode to; empty where there is no such path. */
  methodsOf(path: string): string[] {
    if (!path.startsWith('/')) return [];
    const segments = segmentsOf(path);
    const isServed = (method: string): boolean =>
      search(this.root, segments, 0, method, []) !== undefined;
    const served: string[] = METHODS.filter(isServed);
    return served.includes('GET') ? [...served, 'HEAD'] : served;
  }
}

function node<Handler>(): Node<Handler> {
  return { fixed: new Map(), handlers: new Map() };
}

function child<Handler>(of: Node<Handler>, segment: string): Node<Handler> {
  const known = of.fixed.get(segment);
  if (known) return known;
  const made = node<Handler>();
  of.fixed.set(segment, made);
  return made;
}

function segmentsOf(path: string): string[] {
  const segments = path.split('/').slice(1);
  if (segments.at(-1) === '') segments.pop();
  return segments;
}

/** Goes back where a static segment leads nowhere. `values` are those of the names on the way. */
function search<Handler>(
  at: Node<Handler>,
  segments: readonly string[],
  index: number,
  method: string,
  values: string[],
): { readonly handler: Handler; readonly names: readonly string[] } | undefined {
  const segment = segments[index];
  if (segment === undefined) return at.handlers.get(method);
  const fixed = at.fixed.get(segment.toLowerCase());
  const found = fixed && search(fixed, segments, index + 1, method, values);
  if (found || !at.any || segment === '') return found;
  values.push(segment);
  const named = search(at.any, segments, index + 1, method, values);
  if (!named) values.pop();
  return named;
}
