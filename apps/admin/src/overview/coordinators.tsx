/** Register, broker and coordinators: whether what decides is well. */
import { durationText } from '@concordat/words';
import type { AdminOverview } from '@concordat/client';
import { Badge } from '../elements/badge.js';
import { Ago } from '../elements/instant.js';
import { count, plural } from '../wording/format.js';
import type { Shown } from '../wording/status.js';

export function Coordinators({ overview }: { readonly overview: AdminOverview }) {
  const { recovery, coordinators, register, broker } = overview;
  return (
    <dl className="facts">
      <div>
        <dt>Register</dt>
        <dd>
          <Badge shown={upShown(register.up)} />
          {register.lastError ? <div className="cell-note">{register.lastError}</div> : null}
        </dd>
      </div>
      <div>
        <dt>Broker</dt>
        <dd>
          <Badge shown={upShown(broker.up)} />
          {broker.lastError ? <div className="cell-note">{broker.lastError}</div> : null}
        </dd>
      </div>
      <div>
        <dt>Recovery</dt>
        <dd>
          {recovery.backlog === undefined
            ? 'what waits to be taken over is not known'
            : recovery.backlog === 0
              ? 'nothing waits to be taken over'
              : `${plural(recovery.backlog, 'standing commit')} to be taken over`}
          <div className="cell-note">{count(recovery.live)} live in memory</div>
        </dd>
      </div>
      {coordinators?.map((one) => (
        <div key={one.incarnation}>
          <dt>{one.self ? 'This one' : 'Another'}</dt>
          <dd>
            <code>{one.incarnation}</code>
            <div className="cell-note">
              up for <Ago at={one.startedAt} />
              {one.self ? '' : `, answered ${durationText(one.seenMsAgo)} ago`}
            </div>
          </dd>
        </div>
      ))}
    </dl>
  );
}

function upShown(up: boolean): Shown {
  return up
    ? { word: 'up', tone: 'good', glyph: 'check', means: 'It answers.' }
    : { word: 'down', tone: 'stuck', glyph: 'cross', means: 'It does not answer.' };
}
