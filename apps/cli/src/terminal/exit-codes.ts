/** What `concordat` ends with, for scripts. `--help` lists them; they never change their meaning. */
export const ExitCode = {
  ok: 0,
  failed: 1,
  usage: 2,
  aborted: 3,
  attention: 4,
  changed: 5,
} as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

export const EXIT_CODES_HELP = `
Exit codes:
  0  done; of stuck, orphans, doctor and settle also: nothing needs attention
  1  it could not be done; standard error says why and what to do
  2  the command line was wrong
  3  the transaction aborted
  4  something needs attention: stuck or heuristic transactions, orphans, a participant that could not
     be compared, a check that failed or could not be made, a branch that settle had to leave in
     doubt, or one to which retry, abort or acknowledge was sent and which has not answered
  5  the transaction changed while you looked; nothing was done`;
