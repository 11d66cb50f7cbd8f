// Waiting by condition. A test that sleeps is slow when the machine is fast and wrong when it is
// slow; this polls until the thing is true, and on failure says what was awaited and what was seen
// last, so that a red run explains itself.

import { durationText } from '@concordat/words';

export interface WaitOptions {
  /** What is awaited, as it reads after "Waited 5000 ms for ...". */
  readonly what: string;
  readonly timeoutMs?: number;
  readonly everyMs?: number;
}

// Only what fails takes so long; a busy machine may take a good part of it.
const TIMEOUT_MS_DEFAULT = 30_000;
const EVERY_MS_DEFAULT = 25;

/**
 * Resolves with the first truthy value of `condition`. An error thrown by it counts as "not yet",
 * and is named when the time is over.
 */
export async function waitFor<T>(
  condition: () => T | Promise<T>,
  { what, timeoutMs = TIMEOUT_MS_DEFAULT, everyMs = EVERY_MS_DEFAULT }: WaitOptions,
): Promise<NonNullable<T>> {
  const deadline = Date.now() + timeoutMs;
  let seen = 'the condition never answered';
  for (;;) {
    const remaining = deadline - Date.now();
    if (remaining <= 0)
      throw new Error(`Waited ${durationText(timeoutMs)} for ${what}; last: ${seen}`);
    const answer = await answerWithin(condition, remaining);
    if (answer.kind === 'value' && answer.value) return answer.value;
    if (answer.kind === 'value') seen = String(answer.value);
    if (answer.kind === 'error') seen = messageOf(answer.error);
    await delay(Math.min(everyMs, Math.max(0, deadline - Date.now())));
  }
}

/** A pause for polling loops; a test has no use for it. */
export function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

type Answer<T> =
  | { readonly kind: 'value'; readonly value: T }
  | { readonly kind: 'error'; readonly error: unknown }
  | { readonly kind: 'silence' };

// A condition that hangs (a connection to a stopped server) must not outlive the deadline.
async function answerWithin<T>(
  condition: () => T | Promise<T>,
  timeoutMs: number,
): Promise<Answer<T>> {
  let timer: NodeJS.Timeout | undefined;
  const silence = new Promise<Answer<T>>((resolve) => {
    timer = setTimeout(() => resolve({ kind: 'silence' }), timeoutMs);
  });
  const answer = (async (): Promise<Answer<T>> => {
    try {
      return { kind: 'value', value: await condition() };
    } catch (error) {
      return { kind: 'error', error };
    }
  })();
  try {
    return await Promise.race([answer, silence]);
  } finally {
    clearTimeout(timer);
  }
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // A refused connection is an AggregateError with an empty message and a code.
  return error.message || String((error as NodeJS.ErrnoException).code ?? error.name);
}
