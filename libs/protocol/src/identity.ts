/**
 * Identity: the names used in every layer. Guards protocol §2: a cluster id scopes every gid and every
 * subject; a transaction id is time-ordered, never reused, and names the coordinator incarnation
 * that owns it, so that the holder of an id knows which coordinator to ask without reading anything.
 */

declare const brand: unique symbol;
type Branded<Name extends string> = string & { readonly [brand]: Name };

/** Eight characters `[a-z0-9]`, made once, kept in the decision database. */
export type ClusterId = Branded<'ClusterId'>;
/** Eight characters `[a-z0-9]`: one coordinator process from its start to its end. */
export type Incarnation = Branded<'Incarnation'>;
/** Eight characters `[a-z0-9]`: one participant process from its start to its end. */
export type InstanceId = Branded<'InstanceId'>;
/**
 * `<26 characters of UUIDv7 bits in Crockford base32>-<incarnation>`, 35 characters; of a transaction that is
 * decided at its only participant, `-<participant>` behind it.
 */
export type TransactionId = Branded<'TransactionId'>;
/** Ordinal of a branch in its transaction, `1` to `9999`. Carries no user data. */
export type BranchId = Branded<'BranchId'>;
/** `cc:<cluster>:<transaction>:<branch>`; of what is prepared at most 64 bytes, so that it also fits an XA gtrid. */
export type Gid = Branded<'Gid'>;
/** A service's name: `[a-z][a-z0-9-]*`, at most 32 characters, safe as a NATS token. */
export type ParticipantName = Branded<'ParticipantName'>;

export const GID_BYTES_MAX = 64;
export const BRANCHES_MAX = 64;
export const TOKEN_LENGTH = 8;

const CROCKFORD = '0123456789abcdefghjkmnpqrstvwxyz';
const token = /^[a-z0-9]{8}$/;
const transaction = /^[0-9a-hjkmnp-tv-z]{26}-[a-z0-9]{8}(?:-[a-z][a-z0-9-]{0,31})?$/;
const branch = /^[1-9][0-9]{0,3}$/;
const participant = /^[a-z][a-z0-9-]{0,31}$/;
const gid =
  /^cc:([a-z0-9]{8}):([0-9a-hjkmnp-tv-z]{26}-[a-z0-9]{8}(?:-[a-z][a-z0-9-]{0,31})?):([1-9][0-9]{0,3})$/;

/** The parts of a gid: enough to find a branch anywhere. */
export interface GidParts {
  readonly cluster: ClusterId;
  readonly transaction: TransactionId;
  readonly branch: BranchId;
}

export const isClusterId = (text: string): text is ClusterId => token.test(text);
export const isIncarnation = (text: string): text is Incarnation => token.test(text);
export const isTransactionId = (text: string): text is TransactionId => transaction.test(text);
export const isBranchId = (text: string): text is BranchId => branch.test(text);
export const isParticipantName = (text: string): text is ParticipantName => participant.test(text);

/** An eight-character token from eight random bytes: for cluster, incarnation and instance ids. */
export function tokenFrom(random: Uint8Array): ClusterId & Incarnation & InstanceId {
  if (random.length < TOKEN_LENGTH) throw new RangeError('tokenFrom needs 8 random bytes');
  let text = '';
  for (let i = 0; i < TOKEN_LENGTH; i++) text += CROCKFORD[(random[i] as number) & 31];
  return text as ClusterId & Incarnation & InstanceId;
}

/**
 * A transaction id: UUIDv7 bits (RFC 9562 §5.7: 48 bits of Unix milliseconds, version, 74 random
 * bits), written in Crockford base32 so that text order is time order, then the owner, then the participant
 * at which it is decided, where that is not the register. `random` must hold at least 10 bytes.
 */
export function makeTransactionId(
  unixMs: number,
  random: Uint8Array,
  owner: Incarnation,
  decidedAt?: ParticipantName,
): TransactionId {
  if (random.length < 10) throw new RangeError('makeTransactionId needs 10 random bytes');
  const at = (index: number): number => random[index] as number;
  const ms = Math.floor(unixMs);
  const high = Math.floor(ms / 2 ** 32) & 0xffff;
  const low = ms >>> 0;
  const bytes = [high >> 8, high & 255, low >>> 24, (low >> 16) & 255, (low >> 8) & 255, low & 255];
  // Of the 80 random bits the last 74 are used: twelve behind the version, 62 behind the variant.
  bytes.push(0x70 | ((at(0) & 3) << 2) | (at(1) >> 6), ((at(1) & 63) << 2) | (at(2) >> 6));
  bytes.push(0x80 | (at(2) & 63));
  for (let index = 3; index < 10; index++) bytes.push(at(index));
  let text = '';
  let [bits, count] = [0, 2]; // 26 characters hold 130 bits: the first two are none of the 128.
  for (const byte of bytes) {
    bits = ((bits << 8) | byte) & 0x1fff;
    for (count += 8; count >= 5; count -= 5) text += CROCKFORD[(bits >> (count - 5)) & 31];
  }
  const place = decidedAt === undefined ? '' : `-${decidedAt}`;
  return `${text}-${owner}${place}` as TransactionId;
}

/** So many characters at the end of the random part can carry a mark. */
const MARK_LENGTH = 6;

/** The same id with its last 30 random bits taken from `mark`, which must hold at least 4 bytes. */
export function markTransactionId(id: TransactionId, mark: Uint8Array): TransactionId {
  if (mark.length < 4) throw new RangeError('markTransactionId needs 4 bytes');
  let bits = 0;
  for (let i = 0; i < 4; i++) bits = (bits << 8) | (mark[i] as number);
  let text = '';
  for (let i = 0; i < MARK_LENGTH; i++) {
    text += CROCKFORD[bits & 31];
    bits >>>= 5;
  }
  return `${id.slice(0, 26 - MARK_LENGTH)}${text}${id.slice(26)}` as TransactionId;
}

/** All of an id but the place of its mark: what a mark is made from. */
export function unmarkedPart(id: TransactionId): string {
  return `${id.slice(0, 26 - MARK_LENGTH)}${id.slice(26)}`;
}

/** The incarnation that owns a transaction. */
export function ownerOf(id: TransactionId): Incarnation {
  return id.slice(27, OWNED_LENGTH) as Incarnation;
}

/** How long the part of an id is that every id has. */
const OWNED_LENGTH = 35;

/**
 * The participant whose database decides a transaction in one phase (protocol §4.6); undefined of every other
 * transaction, which the register decides. So the id says where the decision is.
 */
export function decidedAt(id: TransactionId): ParticipantName | undefined {
  return id.length > OWNED_LENGTH ? (id.slice(OWNED_LENGTH + 1) as ParticipantName) : undefined;
}

/** The only branch of a transaction that is decided at its participant. */
export const ONLY_BRANCH = '1' as BranchId;

/** When the owner made the id, in Unix milliseconds of the owner's clock. Display and pruning only. */
export function madeAtMs(id: TransactionId): number {
  let ms = 0; // The first ten characters, 50 bits: exact in a number.
  for (const character of id.slice(0, 10)) ms = ms * 32 + CROCKFORD.indexOf(character);
  return ms;
}

/**
 * The smallest transaction id that could have been made at `unixMs`: everything made earlier sorts
 * below it. For retention marks.
 */
export function lowestTransactionIdAt(unixMs: number): TransactionId {
  return makeTransactionId(unixMs, new Uint8Array(10), '00000000' as Incarnation);
}

export function makeBranchId(ordinal: number): BranchId {
  const text = String(ordinal);
  if (!isBranchId(text)) throw new RangeError(`branch ordinal ${text} is not within 1 to 9999`);
  return text;
}

export function formatGid({ cluster, transaction, branch }: GidParts): Gid {
  const text = `cc:${cluster}:${transaction}:${branch}`;
  if (!gid.test(text)) throw new RangeError(`not a gid: ${text}`);
  return text as Gid;
}

/** The parts of a gid, or undefined for anything that is not ours. */
export function parseGid(text: string): GidParts | undefined {
  const match = gid.exec(text);
  if (!match) return undefined;
  const [, cluster, tx, ordinal] = match;
  return {
    cluster: cluster as ClusterId,
    transaction: tx as TransactionId,
    branch: ordinal as BranchId,
  };
}

/** What every gid of a cluster starts with. Another cluster's branches never match it. */
export function gidPrefix(cluster: ClusterId): string {
  return `cc:${cluster}:`;
}
