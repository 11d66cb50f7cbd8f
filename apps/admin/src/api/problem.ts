/**
 * What went wrong with a request, as the page shows it. Guards "every message names the remedy": the
 * coordinator's own words (RFC 9457 `detail`) come first, and a missing answer is distinguished from a refusal.
 */
import type { ProblemDetails } from '@concordat/client';

export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly details: Partial<ProblemDetails> & { readonly detail: string },
  ) {
    super(details.detail);
    this.name = 'Problem';
  }

  /** No user is signed in (any more). */
  get isSignedOut(): boolean {
    return this.status === 401;
  }

  /** What was shown is not what is: ask again with the new state. */
  get isStale(): boolean {
    return this.status === 412;
  }
}

/** The request got no answer, so it is unknown whether it was carried out. */
export class Unreachable extends Error {
  constructor(readonly wasChange: boolean) {
    super(
      wasChange
        ? 'The coordinator did not answer, so it is not known whether this was carried out. Look at the audit before you ask again.'
        : 'The coordinator does not answer. What you see is its last answer; it is asked again automatically.',
    );
    this.name = 'Unreachable';
  }
}

/** The problem an unsuccessful answer describes; something honest when it is not one of ours. */
export function problemOf(status: number, text: string): Problem {
  try {
    const body: unknown = JSON.parse(text);
    if (isDetails(body)) return new Problem(status, body);
  } catch {
    // Not JSON: a proxy in between, or a half-written answer.
  }
  return new Problem(status, {
    status,
    title: 'Unexpected answer',
    detail: `The answer was HTTP ${status} without an explanation; something between this page and the coordinator may have given it.`,
  });
}

function isDetails(body: unknown): body is ProblemDetails {
  return typeof body === 'object' && body !== null && 'detail' in body;
}

/** What to say of any error that a request or a render threw. */
export function explain(error: unknown): { title: string; detail: string; code?: string } {
  if (error instanceof Problem) {
    const { title, detail, code } = error.details;
    return { title: title ?? `HTTP ${error.status}`, detail, ...(code ? { code } : {}) };
  }
  if (error instanceof Unreachable) return { title: 'No answer', detail: error.message };
  return { title: 'This page failed', detail: error instanceof Error ? error.message : 'Unknown.' };
}
