/**
 * The trace of a story: lines in the order in which things happened, with names instead of ids, so
 * that a trace reads well and is the same in every run.
 */
import type { Timeline } from '../simulation/timeline.js';

export class Trace {
  private lines: string[] = [];
  private readonly names = new Map<string, string>();
  private startedAt?: number;
  private looking = false;
  /** Says what changed since the last line. */
  look: () => void = () => undefined;

  constructor(private readonly timeline: Timeline) {}

  /** Calls an id by a name from now on. */
  call(id: string, name: string): void {
    this.names.set(id, name);
  }

  name(id: string): string {
    return this.names.get(id) ?? id;
  }

  /** The id behind a name. */
  idOf(name: string): string | undefined {
    for (const [id, known] of this.names) if (known === name) return id;
    return undefined;
  }

  /** Names instead of ids, wherever they stand in a text. */
  plain(text: string): string {
    let plain = text;
    // The id of a transaction ends with that of a coordinator.
    const longestFirst = [...this.names].sort(([a], [b]) => b.length - a.length);
    for (const [id, name] of longestFirst) plain = plain.replaceAll(id, name);
    return plain;
  }

  /** Shows what changed, and so learns the names of what is new. */
  refresh(): void {
    if (this.looking) return;
    this.looking = true;
    this.look();
    this.looking = false;
  }

  say(line: string): void {
    this.refresh();
    const { startedAt } = this;
    const since = startedAt === undefined ? '' : `${this.timeline.now - startedAt} ms`;
    this.lines.push(startedAt === undefined ? line : `${since.padStart(8)}  ${line}`);
  }

  /** Lines show from now on how long ago this was. */
  startClock(): void {
    this.startedAt = this.timeline.now;
  }

  stopClock(): void {
    this.startedAt = undefined;
  }

  /** What was said since the last time. */
  take(): string[] {
    const { lines } = this;
    this.lines = [];
    return lines;
  }
}
