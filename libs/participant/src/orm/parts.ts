/**
 * Transactions of an ORM inside of a branch, as parts of it: each is a savepoint, and they share the
 * branch's one connection. Guards "a part that is rolled back takes nothing else with it": savepoints
 * are a stack, so while a part is open, only what belongs to it is sent; everything else of the branch
 * waits for its end. What belongs to it is what is sent on its own connection, or from inside of it, by
 * the asynchronous context. Where a context is lost, work waits too long; it never lands in a wrong part.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { PostgresSession } from '../postgres/branch-session.js';

/** One transaction of an ORM. */
export interface Part {
  /** Of the savepoint. */
  readonly name: string;
  /** The connection that began it. */
  readonly owner: object;
  /** The part from inside of which it was begun. */
  readonly outer: Part | undefined;
  state: 'waiting' | 'open' | 'undoing' | 'ended';
}

interface Waiting {
  readonly owner: object;
  readonly inside: Part | undefined;
  readonly go: () => void;
}

/** A stretch of code that is inside of the first part that it begins. */
interface Frame {
  part?: Part;
  readonly outer: Frame | undefined;
}

const CONTEXT = Symbol.for('concordat.participant.part.v1');
const PARTS = Symbol.for('concordat.participant.parts.v1');

interface Shared {
  [CONTEXT]?: AsyncLocalStorage<Frame>;
  [PARTS]?: WeakMap<PostgresSession, Parts>;
}

function context(): AsyncLocalStorage<Frame> {
  return ((globalThis as Shared)[CONTEXT] ??= new AsyncLocalStorage<Frame>());
}

/** The innermost part that this code runs in and that has not ended. */
function partHere(): Part | undefined {
  const frame = frameHere();
  let part = frame?.part ?? frame?.outer?.part;
  while (part?.state === 'ended') part = part.outer;
  return part;
}

/** The innermost frame of this code whose part has not ended. */
function frameHere(): Frame | undefined {
  let frame = context().getStore();
  while (frame?.part?.state === 'ended') frame = frame.outer;
  return frame;
}

/**
 * For adapters, around a whole transaction of an ORM: what `body` calls and awaits is inside of the
 * transaction that it begins first. Needed where the ORM begins it in an asynchronous context of its own,
 * which the work of the transaction does not inherit; without it, a transaction that is begun inside of
 * another one, on a connection of its own, waits for the outer one. Returns what `body` returns.
 */
export function aroundTransaction<T>(body: () => T): T {
  return context().run({ outer: frameHere() }, body);
}

/** The parts of a branch, whichever of its connections began them. */
export function partsOf(session: PostgresSession): Parts {
  const all = ((globalThis as Shared)[PARTS] ??= new WeakMap<PostgresSession, Parts>());
  let parts = all.get(session);
  if (!parts) all.set(session, (parts = new Parts(session)));
  return parts;
}

export class Parts {
  private readonly stack: Part[] = [];
  private readonly waiting: Waiting[] = [];
  private made = 0;

  constructor(private readonly session: PostgresSession) {
    // What waits is refused by the closed gate, each in its own form.
    session.onClosed(() => this.letGo());
  }

  /** The innermost open part of this connection. */
  of(owner: object): Part | undefined {
    return this.stack.findLast((part) => part.owner === owner);
  }

  /** Whether a part of another connection would be undone with this one. */
  isInnermost(part: Part): boolean {
    return this.stack.at(-1) === part;
  }

  /** Runs `go` when the connection may send: at once, or when the part that it waits for has ended. */
  inTurn(owner: object, go: () => void): void {
    const one = { owner, inside: partHere(), go };
    const isBehind = this.waiting.some((other) => other.owner === owner);
    if (!isBehind && this.mayGo(one)) go();
    else this.waiting.push(one);
  }

  /**
   * A part that this connection is about to begin. What the caller does from here on runs inside of it,
   * by its asynchronous context. Open it in turn.
   */
  announce(owner: object): Part {
    this.made += 1;
    const part: Part = {
      name: `concordat_part_${this.made}`,
      owner,
      outer: partHere(),
      state: 'waiting',
    };
    const frame = frameHere();
    if (frame && !frame.part) frame.part = part;
    else context().enterWith({ part, outer: frame });
    return part;
  }

  open(part: Part): void {
    part.state = 'open';
    this.stack.push(part);
    this.session.openParts += 1;
  }

  /**
   * The part is about to be undone, with all that were begun inside of it: nothing of them is left to be
   * prepared, also where the branch ends before the answer.
   */
  undo(part: Part): void {
    const at = this.stack.indexOf(part);
    for (const one of at === -1 ? [] : this.stack.slice(at)) this.become(one, 'undoing');
  }

  /** It was not undone after all: the branch cannot be prepared. */
  notUndone(part: Part): void {
    for (const one of this.stack.slice(Math.max(0, this.stack.indexOf(part)))) {
      if (one.state !== 'undoing') continue;
      one.state = 'open';
      this.session.openParts += 1;
    }
  }

  /** The part has ended, with all that were begun inside of it. */
  end(part: Part): void {
    const at = this.stack.indexOf(part);
    for (const one of at === -1 ? [part] : this.stack.splice(at)) this.become(one, 'ended');
    this.letGo();
  }

  private become(part: Part, state: 'undoing' | 'ended'): void {
    if (part.state === 'open') this.session.openParts -= 1;
    part.state = state;
  }

  private letGo(): void {
    for (;;) {
      // What one connection sends keeps its order.
      const isFirst = ({ owner }: Waiting, at: number): boolean =>
        this.waiting.findIndex((other) => other.owner === owner) === at;
      const at = this.waiting.findIndex((one, place) => isFirst(one, place) && this.mayGo(one));
      const [one] = at === -1 ? [] : this.waiting.splice(at, 1);
      if (!one) return;
      one.go();
    }
  }

  private mayGo({ owner, inside }: Waiting): boolean {
    const innermost = this.stack.at(-1);
    if (!this.session.isOpen || !innermost || innermost.owner === owner) return true;
    for (let part = inside; part; part = part.outer) if (part === innermost) return true;
    return false;
  }
}
