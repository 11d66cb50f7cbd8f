/** Answers about one transaction, of several coordinators and times, and in what they contradict each other. */
import type { Json } from '../stage/product.js';

const NAMES = ['begunAt', 'decidedAt', 'endedAt'] as const;

export class ToldAlike {
  private readonly told: { readonly body: Json; readonly etag: string }[] = [];

  /** Keeps an answer; its version. */
  take({ headers, body }: { readonly headers: Headers; readonly body: Json }): Json | undefined {
    this.told.push({ body, etag: String(headers.get('etag')) });
    return body['version'];
  }

  /** Instants, of those answers that name them, and entity tags of one version of what has ended. */
  contradictions(): string[] {
    const ended = this.told.filter(({ body }) => body['endedAt'] !== undefined);
    const tags = ended.map(({ body, etag }) => [`etag of version ${body['version']}`, etag]);
    const decided = this.told.filter(({ body }) => body['decidedAt'] !== undefined);
    const instants = decided.flatMap(({ body }) =>
      NAMES.filter((name) => body[name] !== undefined).map((name) => [name, String(body[name])]),
    );
    const values = new Map<string, Set<string>>();
    for (const [what, value] of [...instants, ...tags] as [string, string][]) {
      values.set(what, (values.get(what) ?? new Set()).add(value));
    }
    return [...values].flatMap(([what, all]) =>
      all.size > 1 ? [`${what}: ${[...all].join(', ')}`] : [],
    );
  }

  /** How many answers said when it ended. */
  get ended(): number {
    return this.told.filter(({ body }) => body['endedAt'] !== undefined).length;
  }
}
