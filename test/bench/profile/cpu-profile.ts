/** What a V8 profile says: time spent in each function itself, and in each package. */

/** The part of a `.cpuprofile` that is read. Times in microseconds. */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: {
      readonly functionName: string;
      readonly url: string;
      readonly lineNumber: number;
    };
    readonly children?: readonly number[];
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

export interface Spent {
  readonly what: string;
  readonly ms: number;
}

export interface Summary {
  /** Milliseconds in which the process was not idle. */
  readonly busyMs: number;
  /** Most first. */
  readonly packages: readonly Spent[];
  readonly functions: readonly Spent[];
  /** Of functions of this repository and of packages, with everything that they call. Most first. */
  readonly inclusive: readonly Spent[];
}

const IDLE = '(idle)';

export function summarise({ nodes, samples, timeDeltas }: CpuProfile): Summary {
  const self = new Map<number, number>();
  samples.forEach((id, at) => {
    // A delta is the time since the sample before, spent in what that one saw.
    self.set(id, (self.get(id) ?? 0) + (timeDeltas[at + 1] ?? 0) / 1_000);
  });
  const byId = new Map(nodes.map((one) => [one.id, one]));
  const parents = new Map(nodes.flatMap((one) => (one.children ?? []).map((id) => [id, one.id])));
  const packages = new Map<string, number>();
  const functions = new Map<string, number>();
  const inclusive = new Map<string, number>();
  let busyMs = 0;
  for (const [id, ms] of self) {
    const frame = byId.get(id)?.callFrame;
    if (!frame || frame.functionName === IDLE) continue;
    busyMs += ms;
    add(packages, packageOf(frame.url, frame.functionName), ms);
    add(functions, placeOf(frame), ms);
    const seen = new Set<string>();
    for (let at: number | undefined = id; at !== undefined; at = parents.get(at)) {
      const above = byId.get(at)?.callFrame;
      if (above) seen.add(placeOf(above));
    }
    for (const place of seen) add(inclusive, place, ms);
  }
  return {
    busyMs,
    packages: sorted(packages),
    functions: sorted(functions),
    inclusive: sorted(inclusive),
  };
}

function add(to: Map<string, number>, what: string, ms: number): void {
  to.set(what, (to.get(what) ?? 0) + ms);
}

function sorted(times: ReadonlyMap<string, number>): Spent[] {
  return [...times].map(([what, ms]) => ({ what, ms })).sort((a, b) => b.ms - a.ms);
}

/** The package or part of the repository that a file belongs to; `node` and V8's own by their names. */
function packageOf(url: string, functionName: string): string {
  if (url.startsWith('node:')) return url.split('/').slice(0, 2).join('/');
  const installed = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1];
  if (installed !== undefined) return installed;
  const ours = /\/((?:libs|apps)\/[^/]+)\/dist\/([^/]+)/.exec(url);
  if (ours) return `${ours[1]}/${ours[2]}`;
  return url === '' ? functionName || '(native)' : url;
}

function placeOf({ functionName, url, lineNumber }: CpuProfile['nodes'][number]['callFrame']) {
  const file = url.replace(/.*\/node_modules\//, '').replace(/.*\/((?:libs|apps)\/)/, '$1');
  const name = functionName || '(anonymous)';
  return file === '' ? name : `${name} ${file}:${lineNumber + 1}`;
}
