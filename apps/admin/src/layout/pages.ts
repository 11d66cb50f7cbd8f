/**
 * The pages of the view, in the order of the menu and the palette.
 */
export interface PageLink {
  readonly path: string;
  readonly name: string;
  readonly says: string;
}

export const PAGES: readonly PageLink[] = [
  { path: '/', name: 'Overview', says: 'what is in doubt now, and how the coordinator does' },
  { path: '/transactions', name: 'Transactions', says: 'stuck first, by the harm they do' },
  { path: '/participants', name: 'Participants', says: 'who is up, slots, prepared branches' },
  { path: '/orphans', name: 'Orphans', says: 'prepared there and unknown here, or the reverse' },
  { path: '/operations', name: 'Operations', says: 'bulk work: plan, progress, results' },
  { path: '/audit', name: 'Audit', says: 'who did what, when, and why' },
];
