/** Connections to each participant's database, the same for every way. Idle ones are kept. */
export const POOL = 32;
