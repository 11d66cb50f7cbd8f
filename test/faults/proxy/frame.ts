/**
 * A frame: one message of a wire protocol, cut out of the byte stream, with what rules ask about it.
 * Faults are injected between frames, so that a test can say "after the server committed, before the
 * client received it" exactly.
 */
export type Side = 'client' | 'server';

export interface Frame {
  readonly from: Side;
  /** `Q`, `P`, `B`, `E`, `C` … of Postgres, the verb of a NATS line. */
  readonly kind: string;
  /** Postgres: the statement it carries or answers. NATS: the subject. */
  readonly about: string;
  /** Postgres: the command tag or error of an answer. NATS: the payload. */
  readonly text: string;
  readonly bytes: Buffer;
}

/** Cuts the two streams of one connection into frames; keeps what is not whole yet. */
export interface Framer {
  push(from: Side, chunk: Buffer): Frame[];
}

export interface WireProtocol {
  readonly name: 'Postgres' | 'NATS';
  /** In a stream everything behind a held frame waits; messages overtake one another. */
  readonly unit: 'stream' | 'messages';
  readonly framer: () => Framer;
}

export type Predicate = (frame: Frame) => boolean;

/** A statement on its way to the server; in the extended protocol at its Execute. */
export const statement =
  (pattern: RegExp): Predicate =>
  ({ from, kind, about }) =>
    from === 'client' && (kind === 'Q' || kind === 'E') && pattern.test(about);

/** The server's word that a statement is done. */
export const completion =
  (pattern: RegExp): Predicate =>
  ({ from, kind, about }) =>
    from === 'server' && kind === 'C' && pattern.test(about);

/** A message on its way to the broker. */
export const published =
  (subject: RegExp): Predicate =>
  ({ from, kind, about }) =>
    from === 'client' && (kind === 'PUB' || kind === 'HPUB') && subject.test(about);

/** A message on its way from the broker. */
export const delivered =
  (subject: RegExp): Predicate =>
  ({ from, kind, about }) =>
    from === 'server' && (kind === 'MSG' || kind === 'HMSG') && subject.test(about);
