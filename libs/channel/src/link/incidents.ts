/**
 * Incidents: what the wire refuses or notices by itself, for logs and metrics. None of them changes the
 * protocol's course; each is counted, and passed to one listener that may log it.
 */

export type ChannelIncident =
  /** A reply subject outside the asker's own inbox: nothing was done and nothing published there. */
  | { readonly kind: 'forged-reply'; readonly subject: string; readonly reply: string | undefined }
  /** A question whose body names another asker than its subject, or that is not its asker's to ask. */
  | { readonly kind: 'wrong-asker'; readonly subject: string; readonly reason: string }
  /** A question or report that what is known here does not bear out: refused, and nothing was done. */
  | {
      readonly kind: 'disbelieved';
      readonly subject: string;
      readonly code: string;
      readonly reason: string;
    }
  /** An asker over its quota: it was asked to come again later. */
  | { readonly kind: 'over-quota'; readonly subject: string }
  /** A message that could not be read; its sender got an error, if it had an inbox. */
  | {
      readonly kind: 'unreadable';
      readonly subject: string;
      readonly code: string;
      readonly reason: string;
    }
  /** An answer that no request waits for any more: too late, or a second one. */
  | { readonly kind: 'unawaited-answer'; readonly subject: string }
  /**
   * Our own answer could not be sent: no connection to the broker. The asker asks again, or gets it later.
   */
  | { readonly kind: 'answer-lost'; readonly subject: string; readonly why: string }
  /** A vote, or an answer to work, was sent again: our connection was lost, and the answer perhaps too. */
  | { readonly kind: 'answer-repeated'; readonly subject: string }
  /** A handler threw. The answer was `internal-error`. */
  | { readonly kind: 'handler-failed'; readonly subject: string; readonly error: unknown }
  /** An answer could not be sent as it was, so less was sent: `why` says what and where. */
  | { readonly kind: 'answer-reduced'; readonly subject: string; readonly why: string }
  /** More messages waited than may wait. */
  | { readonly kind: 'overloaded'; readonly subject: string }
  /** The broker forbade a publish or a subscription: its permissions are wrong. */
  | { readonly kind: 'not-permitted'; readonly subject: string; readonly operation: string };

export type IncidentKind = ChannelIncident['kind'];
export type IncidentListener = (incident: ChannelIncident) => void;

export class Incidents {
  private readonly counts = new Map<IncidentKind, number>();

  constructor(private readonly listener: IncidentListener | undefined) {}

  report(incident: ChannelIncident): void {
    this.counts.set(incident.kind, this.count(incident.kind) + 1);
    try {
      this.listener?.(incident);
    } catch {
      // A logger that throws inside the client's read loop would end the connection's reader.
    }
  }

  count(kind: IncidentKind): number {
    return this.counts.get(kind) ?? 0;
  }

  snapshot(): Readonly<Partial<Record<IncidentKind, number>>> {
    return Object.fromEntries(this.counts);
  }
}
