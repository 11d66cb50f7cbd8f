/** How work in the background that is done in pieces lets others have their turn. */
export interface Pacing {
  /** Does one piece. */
  piece<T>(work: () => Promise<T>): Promise<T>;
  /** Between two pieces. False when none may follow: what is left is for another time. */
  rest(): Promise<boolean>;
}
