/**
 * Answering: the last step of everything that answers. Guards protocol §8: an answer that does not
 * fit or is no JSON is said so to the caller, who says something smaller and still true; an answer
 * that cannot leave because the broker is away is counted, never kept for later, since whoever asked
 * asks again and a late answer would only be ignored.
 */
import { encode } from '../wire/codec.js';
import { jsonFault } from '../wire/json-bounds.js';
import { REASON_LENGTH_MAX, WIRE_VERSION } from '../wire/limits.js';
import { sendFault, type SendFault } from '../wire/sendable.js';
import type { ChannelConnection } from './connection.js';

/**
 * Sends an answer; or says in a sentence why it can never be sent as it is. `faultOf` says what it may
 * hold: whatever fits by default, and only what JSON leaves unchanged where a service made it.
 */
export function answer(
  connection: ChannelConnection,
  reply: string,
  message: object,
  faultOf: (message: object) => SendFault | undefined = jsonFault,
): { readonly unsendable: string } | undefined {
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
  if (fault) return { unsendable: fault };
  const why = connection.publish(reply, payload);
  if (why !== undefined) connection.incidents.report({ kind: 'answer-lost', subject: reply, why });
  return undefined;
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
