/**
 * What a request over an unreliable channel can come back with. "No answer" is not an error and not
 * a no: it is one of three outcomes, and only `no-responders` proves that nothing was delivered.
 */
export type Answer<T> =
  | { readonly kind: 'answered'; readonly answer: T }
  /** Proof that no process received it. */
  | { readonly kind: 'no-responders' }
  /** Unknown: it may have been received, may yet be, or may have been answered. */
  | {
      readonly kind: 'no-answer';
      readonly why: string;
      /** No answer can arrive: the connection that it would come over is gone. */
      readonly isLost?: true;
    };
