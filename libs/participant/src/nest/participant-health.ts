/** Whether a participant can take part, in the form that `@nestjs/terminus` expects. */
import type { ParticipantHost } from './participant.host.js';

/**
 * For `health.check([() => participantHealth(this.host, 'participant')])`: `up`, or `down` with the reasons
 * of `host.readiness()`.
 */
export async function participantHealth<Key extends string>(
  host: Pick<ParticipantHost, 'readiness'>,
  key: Key,
): Promise<Record<Key, { status: 'up' | 'down' } & Record<string, unknown>>> {
  const { ready, reasons } = await host.readiness();
  const result = ready ? { status: 'up' } : { status: 'down', reasons };
  return { [key]: result } as Record<Key, { status: 'up' | 'down' } & Record<string, unknown>>;
}
