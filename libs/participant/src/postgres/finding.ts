/**
 * What a check of the database found. Guards "every failure names its remedy": a finding cannot be made
 * without one.
 */
export interface Finding {
  /** `failure`: the service must not start. `warning`: it may, and somebody should know. */
  readonly severity: 'failure' | 'warning';
  readonly check: string;
  readonly message: string;
  readonly remedy: string;
}

export function failure(check: string, message: string, remedy: string): Finding {
  return { severity: 'failure', check, message, remedy };
}

export function warning(check: string, message: string, remedy: string): Finding {
  return { severity: 'warning', check, message, remedy };
}
