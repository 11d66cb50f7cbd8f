/** What somebody on call asks the admin API, each question with what makes it hard. */

export interface Question {
  readonly about: string;
  readonly path: string;
}

const list = (about: string, query: string): Question => ({
  about,
  path: `/v1/admin/transactions?${query}`,
});

export const QUESTIONS: readonly Question[] = [
  // What the machine and HTTP alone take; read the others in comparison.
  { about: 'nothing: is it alive?', path: '/livez' },
  { about: 'overview', path: '/v1/admin/overview' },
  ...['stuck', 'in-doubt', 'deciding', 'heuristic', 'recent-aborts', 'all'].map((view) =>
    list(`view ${view}`, `view=${view}`),
  ),
  { about: 'orphans', path: '/v1/admin/orphans' },
  list('all, oldest first', 'view=all&sort=oldest'),
  list('all, half-way down', 'view=all&olderThan=15d'),
  list('older than an hour, stuck', 'view=stuck&olderThan=1h'),
  ...['committing', 'preparing', 'committed', 'aborted', 'heuristic-mixed'].map((status) =>
    list(`state ${status}`, `status=${status}`),
  ),
  list('participant of most', 'participant=ledger-east'),
  list('participant of few, long ago', 'participant=legacy'),
  list('label of most', 'label=transfer'),
  list('label of one in 100,000', 'label=recall'),
  list('asked by most', 'principal=shop'),
  list('asked by one in 200,000', 'principal=auditor'),
  list('stuck, at one participant', 'view=stuck&participant=shipping'),
  list('stuck, of one label', 'view=stuck&label=order'),
  list('label of many and participant of few, long ago', 'label=order&participant=legacy'),
  list('aborted, of a label and asked by few', 'status=aborted&label=payout&principal=batch'),
  list(
    'label of half and principal of a tenth, which never meet',
    'label=transfer&principal=batch',
  ),
  list(
    'label of half and participant of a tenth, which never meet',
    'label=transfer&participant=payments',
  ),
  { about: 'audit', path: '/v1/admin/audit' },
  { about: 'operations', path: '/v1/admin/operations' },
];

/** Lists that are followed page by page so many rows down, and then asked for again from there. */
export const DEEP: readonly (Question & { readonly rows: number })[] = [
  { ...list('stuck, 5,000 rows down', 'view=stuck&limit=500'), rows: 5_000 },
  { ...list('recent aborts, 10,000 rows down', 'view=recent-aborts&limit=500'), rows: 10_000 },
  { ...list('all, 10,000 rows down', 'view=all&limit=500'), rows: 10_000 },
];
