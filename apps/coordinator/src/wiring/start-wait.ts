/**
 * Waiting for the decision database while the coordinator starts. Guards "the start waits for
 * CONCORDAT_START_WAIT_MS, whichever step it is, and then ends with the reason": each step that is given
 * here is run again while the database is away, so it must be such that its repetition does no harm.
 */
import { DecisionDatabaseUnusable } from '@concordat/decision-log';
import { RegisterUnknown, type Clock } from '@concordat/engine';
import { durationText } from '@concordat/words';
import { Logger } from '@nestjs/common';

const RETRY_MS = 500;

/** Resolves with what `step` does; rejects with what it refuses at once, or when the time is over. */
export async function untilDatabaseAnswers<T>(
  clock: Clock,
  waitMs: number,
  step: () => Promise<T>,
): Promise<T> {
  const logger = new Logger('Start');
  const deadline = clock.now() + waitMs;
  for (;;) {
    try {
      return await step();
    } catch (error) {
      if (!isAway(error)) throw error;
      if (clock.now() >= deadline) throw unusable(error, waitMs);
      logger.warn(`waiting: ${firstLine(error)}`);
      await new Promise<void>((resolve) => clock.after(RETRY_MS, resolve));
    }
  }
}

function isAway(error: unknown): error is Error {
  if (error instanceof RegisterUnknown) return true;
  return error instanceof DecisionDatabaseUnusable && error.code === 'unreachable';
}

function unusable(error: Error, waitMs: number): DecisionDatabaseUnusable {
  const [cause = '', remedy = 'Remedy: start it, or correct DATABASE_URL.'] =
    error.message.split('\n');
  return new DecisionDatabaseUnusable(
    'unreachable',
    `the start waited ${durationText(waitMs)} (CONCORDAT_START_WAIT_MS): ${cause}\n${remedy}`,
    { cause: error },
  );
}

function firstLine({ message }: Error): string {
  return message.split('\n', 1)[0] ?? message;
}
