/**
 * What the wire does around the engine when a participant asks or reports: its name goes with the
 * question, and what is not believed is answered as such.
 */
import { NotBelieved, type Inquiry, type Question, type ReportAnswer } from '@concordat/engine';

/** An inquiry as a coordinator receives it: in the name of the participant whose branch it is. */
export function askedFrom(inquiry: Inquiry): Question {
  return { ...inquiry, asker: { participant: inquiry.participant } };
}

/** The answer to a report that is not believed. Anything else is no answer. */
export function disbelief(error: unknown): ReportAnswer {
  if (error instanceof NotBelieved) {
    return { recorded: false, code: error.code, reason: error.message };
  }
  throw error;
}
