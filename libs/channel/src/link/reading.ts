/**
 * Reading answers: from bytes to a checked message that belongs to the question. Guards "an answer
 * counts for what was asked and nothing else": a message that cannot be read, or names another branch,
 * is no answer, with the reason, because acting on it would be guessing.
 */
import type { Answer } from '@concordat/engine';
import type { Msg } from '@nats-io/nats-core';
import type { z } from 'zod';
import { decode } from '../wire/codec.js';
import type { ChannelConnection } from './connection.js';

export function readAnswer<T extends { type: string }>(
  connection: ChannelConnection,
  answer: Answer<Msg>,
  schema: z.ZodType<T>,
  about: Readonly<Record<string, string>>,
  depthMax?: number,
): Answer<T> {
  if (answer.kind !== 'answered') return answer;
  const { subject, data } = answer.answer;
  const decoded = decode(schema, data, depthMax);
  if (!decoded.ok) {
    const { code, reason } = decoded;
    connection.incidents.report({ kind: 'unreadable', subject, code, reason });
    return { kind: 'no-answer', why: `the answer cannot be read (${code}): ${reason}` };
  }
  const said: { type: string } & Record<string, unknown> = { ...decoded.message };
  if (said.type !== 'refused') {
    for (const [field, value] of Object.entries(about)) {
      if (said[field] === value) continue;
      const reason = `${field} is ${JSON.stringify(said[field])}, asked about ${value}`;
      connection.incidents.report({ kind: 'unreadable', subject, code: 'other-branch', reason });
      return { kind: 'no-answer', why: `the answer is about something else: ${reason}` };
    }
  }
  return { kind: 'answered', answer: decoded.message };
}
