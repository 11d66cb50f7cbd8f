/**
 * Runs a command that stays until it is stopped: by a signal, by the end of the process that started us,
 * or by the end of the one that reads its output, so that nothing of ours stays behind. Guards the end as well: with a listener, the channel to our starter
 * keeps a process alive that has nothing left to do. So the listener is removed once the command is over,
 * however it ended.
 */
const ENDS = ['SIGINT', 'SIGTERM', 'disconnect'] as const;

/**
 * Runs `command` with a promise that resolves when it is to stop. Settles as the command does. A signal
 * that comes again, while it is stopping, ends the process at once.
 */
export async function untilStopped(
  command: (stopped: Promise<void>) => Promise<void>,
): Promise<void> {
  let tell = (): void => undefined;
  const stopped = new Promise<void>((resolve) => (tell = resolve));
  const forget = (): void => {
    for (const end of ENDS) process.off(end, stop);
    process.stdout.off('error', stop);
  };
  const stop = (): void => {
    forget();
    tell();
  };
  for (const end of ENDS) process.on(end, stop);
  process.stdout.on('error', stop); // What it has to show is shown to nothing any more.
  try {
    await command(stopped);
  } finally {
    forget();
  }
}
