/** What processes say to each other, by name. */
export type RequestKind =
  | 'work'
  | 'prepare'
  | 'commit'
  | 'abort'
  | 'inquire'
  | 'report'
  | 'enlist'
  | 'ping'
  | 'live'
  | 'mark'
  | 'waits'
  | 'waits-of'
  | 'waits-now'
  | 'join'
  | 'heard'
  | 'look';
