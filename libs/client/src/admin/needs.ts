/** Who may act, and what an action needs before it is carried out. */

/** What a key may do: look · act by the rules · act against them, where the site enables it. */
export type AdminRole = 'viewer' | 'operator' | 'force';

export interface ActionNeeds {
  readonly role: AdminRole;
  readonly reason: boolean;
  readonly ticket: boolean;
  /** Exactly what must be typed, where something must. */
  readonly confirm?: string;
}
