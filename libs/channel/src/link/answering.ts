/**
 * Answering: the last step of everything that answers. Guards protocol §8: an answer that does not
 * fit or is no JSON is said so to the caller, who says something smaller and still true; an answer
 * that cannot leave because the broker does not answer is counted. The asker asks again, except for votes and
 * answers to work, which are kept (`unheard-answers.ts`).
 */
import { encode } from '../wire/codec.js';
import { jsonFault } from '../wire/json-bounds.js';
import { REASON_LENGTH_MAX, WIRE_VERSION } from '../wire/limits.js';
import { sendFault, type SendFault } from '../wire/sendable.js';
import type { ChannelConnection } from './connection.js';

export interface Unsendable {
  readonly unsendable: string;
}

/**
 * Sends an answer; or says in a sentence why it can never be sent as it is. `faultOf` says what it may
 * hold: anything that fits by default, and only what JSON leaves unchanged where a service made it.
 */
export function answer(
  connection: ChannelConnection,
  reply: string,
  message: object,
  faultOf: (message: object) => SendFault | undefined = jsonFault,
): Unsendable | undefined {
  const ready = readyAnswer(connection, message, faultOf);
  if ('unsendable' in ready) return ready;
  publishAnswer(connection, reply, ready.payload);
  return undefined;
}

/** An answer to send, or why it can never be sent. */
export function readyAnswer(
  connection: ChannelConnection,
  message: object,
  faultOf: (message: object) => SendFault | undefined,
): { readonly payload: Uint8Array } | Unsendable {
  let payload: Uint8Array;
  try {
    payload = encode(message);
  } catch {
    return { unsendable: worded(sendFault(message)) ?? 'it is no JSON' };
  }
  const bytesMax = connection.maxPayload;
  if (payload.length > bytesMax) {
    return { unsendable: `it has ${payload.length} bytes; at most ${bytesMax} fit` };
  }
  const fault = worded(faultOf(message));
  return fault ? { unsendable: fault } : { payload };
}

export function publishAnswer(
  connection: ChannelConnection,
  reply: string,
  payload: Uint8Array,
): void {
  const why = connection.publish(reply, payload);
  if (why !== undefined) connection.incidents.report({ kind: 'answer-lost', subject: reply, why });
}

function worded(fault: SendFault | undefined): string | undefined {
  return fault && `${fault.path || 'it'} ${fault.what}`;
}

export function refusal(code: string, reason: string, field?: string): object {
  return {
    v: WIRE_VERSION,
    type: 'refused',
    code,
    reason: bounded(reason),
    ...(field ? { field } : {}),
  };
}

/** A reason as long as a message may carry. */
export function bounded(reason: string): string {
  return reason.length <= REASON_LENGTH_MAX ? reason : `${reason.slice(0, REASON_LENGTH_MAX - 1)}…`;
}
