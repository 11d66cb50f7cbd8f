/**
 * Nest's logger on pino: one JSON line for each message. Guards "no secret in a log": nothing that
 * came in a request is ever logged but its method and path, and known secret fields are redacted in
 * case an object with one slips in.
 */
import type { LoggerService, LogLevel } from '@nestjs/common';
import { destination, pino, type Logger as Pino } from 'pino';

/** Kept while no byte can be written, as on a full disk; what comes after that is dropped. */
const UNWRITTEN_BYTES_MAX = 4 * 1_048_576;
const REDACTED = ['authorization', 'apiKey', 'key', 'password', 'databaseUrl', 'natsUrl'];

export class PinoLogger implements LoggerService {
  private readonly pino: Pino;

  constructor(level: string, base: Readonly<Record<string, unknown>> = {}) {
    const paths = REDACTED.flatMap((name) => [name, `*.${name}`]);
    // Synchronous: the last lines of a process that stops must not be lost.
    const output = destination({ dest: 1, sync: true, maxLength: UNWRITTEN_BYTES_MAX });
    output.on('error', () => undefined); // It is said by the lines that are missing; transactions go on.
    this.pino = pino(
      { level, base: { pid: process.pid, ...base }, redact: { paths, censor: '(redacted)' } },
      output,
    );
  }

  log(message: unknown, ...rest: unknown[]): void {
    this.write('info', message, rest);
  }
  error(message: unknown, ...rest: unknown[]): void {
    this.write('error', message, rest);
  }
  warn(message: unknown, ...rest: unknown[]): void {
    this.write('warn', message, rest);
  }
  debug(message: unknown, ...rest: unknown[]): void {
    this.write('debug', message, rest);
  }
  verbose(message: unknown, ...rest: unknown[]): void {
    this.write('trace', message, rest);
  }
  fatal(message: unknown, ...rest: unknown[]): void {
    this.write('fatal', message, rest);
  }

  setLogLevels(_levels: LogLevel[]): void {
    // The level is set once, by the configuration.
  }

  /** Nest passes the context last; an error message may be followed by its stack. */
  private write(
    level: 'info' | 'error' | 'warn' | 'debug' | 'trace' | 'fatal',
    message: unknown,
    rest: unknown[],
  ): void {
    const last = rest.at(-1);
    const context = typeof last === 'string' ? last : undefined;
    const more = context === undefined ? rest : rest.slice(0, -1);
    const fields = {
      ...(context ? { context } : {}),
      ...(more.length > 0 ? { more } : {}),
      ...(message instanceof Error ? { err: message } : {}),
    };
    this.pino[level](fields, message instanceof Error ? message.message : String(message));
  }
}
