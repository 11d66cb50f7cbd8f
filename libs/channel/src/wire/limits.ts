/**
 * Limits of messages. Guards protocol §8: the reader of a message knows in advance how large, how deep and
 * how long it can be; the sender checks its size before the first byte leaves.
 */

/** The one version this build speaks; part of the subjects (`v1`) and of every message (`v`). */
export const WIRE_VERSION = 1;

/** Levels of objects and arrays in one message. Inputs and outputs sit at the fourth. */
export const JSON_DEPTH_MAX = 24;

/** The same for an answer that carries a whole answer of the REST API, in which outputs are nested deeper. */
export const FORWARDED_DEPTH_MAX = 32;

export const OPERATIONS_MAX = 1000;
export const OPERATION_NAME_MAX = 128;
export const CODE_LENGTH_MAX = 64;
export const REASON_LENGTH_MAX = 2000;
export const TIME_MS_MAX = 24 * 60 * 60 * 1000;

/**
 * Bytes kept free below the broker's `max_payload` when a request is checked at begin: its headers,
 * and fields that may grow by some digits until it is sent.
 */
export const HEADROOM_BYTES = 1024;

/** Before the broker has reported its own limit; nats-server's default. */
export const MAX_PAYLOAD_DEFAULT = 1024 * 1024;
