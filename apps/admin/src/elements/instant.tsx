/**
 * An instant, in the zone the reader has chosen; the other one is in its title. Guards "no client clock":
 * what is counted is counted by the coordinator's clock.
 */
import { durationText, shortDurationText } from '@concordat/words';
import { useNow } from '../live/clock.js';
import { useSettings } from '../layout/settings.js';
import { countdown, instant } from '../wording/format.js';

export function Instant({ at, withMs }: { readonly at: string; readonly withMs?: boolean }) {
  const { zone } = useSettings();
  const nowMs = useNow();
  const other = zone === 'utc' ? 'local' : 'utc';
  const title = `${instant(at, { zone: other })}${other === 'local' ? ' local time' : ''}`;
  return (
    <time dateTime={at} title={title} className="number">
      {instant(at, { zone, nowMs, withMs: withMs ?? false })}
    </time>
  );
}

/** How long it has been since, ticking. */
export function Ago({ at, short }: { readonly at: string; readonly short?: boolean }) {
  const nowMs = useNow();
  const ms = nowMs - new Date(at).getTime();
  return (
    <time dateTime={at} className="number">
      {short ? shortDurationText(ms) : durationText(ms)}
    </time>
  );
}

/** What is left until then, ticking. */
export function Until({ at }: { readonly at: string }) {
  const nowMs = useNow();
  return (
    <time dateTime={at} className="number">
      {countdown(new Date(at).getTime() - nowMs)}
    </time>
  );
}
