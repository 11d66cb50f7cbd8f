/**
 * The coordinator as a process. Prints one JSON line with `"ready":true` and the URL when it is ready; ends
 * with 0 after a drained stop, with 1 and the remedy when it cannot start.
 */
import 'reflect-metadata';
import { Logger } from '@nestjs/common';
import { ignoredText } from '@concordat/words';
import { ConfigurationRefused, readCoordinatorConfig } from './platform/coordinator.config.js';
import { PinoLogger } from './platform/pino-logger.js';
import { startCoordinator, type RunningCoordinator } from './serve.js';

/** Longer than anything that a stop waits for, besides the drain itself. */
const STOP_MARGIN_MS = 20_000;

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function serve(): Promise<void> {
  const config = readCoordinatorConfig();
  Logger.overrideLogger(new PinoLogger(config.logLevel));
  for (const one of config.ignored) new Logger('Configuration').warn(ignoredText(one));
  const running = await startCoordinator(config);
  // A terminal that goes away (SIGHUP) ends it in the same good order.
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    process.on(signal, () => {
      const longestMs = config.drainNoticeMs + config.drainMs + STOP_MARGIN_MS;
      const late = setTimeout(() => process.exit(1), longestMs);
      running.stop().then(
        () => process.exit(0),
        (error: unknown) => fail(error),
      );
      late.unref();
    });
  }
  dieWhenWrong(running);
  const { cluster, incarnation } = running.parts.identity;
  print(JSON.stringify({ ready: true, url: running.url, cluster, incarnation, pid: process.pid }));
}

/**
 * A bug, or a broker connection that is permanently closed: the process ends at once, and recovery is the
 * repair.
 */
function dieWhenWrong({ parts }: RunningCoordinator): void {
  parts.manager.onBroken((error) => fail(error));
  for (const connection of [parts.commands, parts.questions]) {
    void connection.closed.then((error) => {
      if (error)
        fail(new Error(`the connection to the broker is closed permanently: ${error.message}`));
    });
  }
}

function fail(error: unknown): never {
  const told = error instanceof ConfigurationRefused ? error.message : describe(error);
  process.stderr.write(`${told}\n`);
  process.exit(1);
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // Errors of ours name the remedy in their message; of others the stack is wanted.
  const isOurs = /^(DecisionDatabaseUnusable|BrokerUnreachable|NotPermitted)$/.test(error.name);
  return isOurs || error.cause !== undefined ? error.message : (error.stack ?? error.message);
}

/** Serves until a signal, or until the process must end. */
export async function runProcess(): Promise<void> {
  await serve().catch(fail);
}
