/** Checked settings: what is not well first, each with its remedy. */
import type { Check } from '@concordat/client';
import { Badge } from '../elements/badge.js';
import { Prose } from '../elements/prose.js';
import { plural } from '../wording/format.js';
import type { Shown } from '../wording/status.js';

const RESULTS: Readonly<Record<Check['result'], Shown>> = {
  ok: { word: 'ok', tone: 'good', glyph: 'check', means: 'As it should be.' },
  warning: { word: 'warning', tone: 'waiting', glyph: 'triangle', means: 'It works, with a risk.' },
  bad: { word: 'bad', tone: 'stuck', glyph: 'cross', means: 'Two-phase commit is not safe so.' },
  unknown: {
    word: 'unknown',
    tone: 'calm',
    glyph: 'question',
    means: 'It could not be found out.',
  },
};
const ORDER: readonly Check['result'][] = ['bad', 'warning', 'unknown', 'ok'];

export function CheckList({ checks }: { readonly checks: readonly Check[] }) {
  const well = checks.filter((one) => one.result === 'ok');
  const others = ORDER.slice(0, 3).flatMap((result) =>
    checks.filter((one) => one.result === result),
  );
  return (
    <>
      <ul className="checks">
        {others.map((check) => (
          <CheckLine key={`${check.at} ${check.name}`} check={check} />
        ))}
      </ul>
      {well.length > 0 ? (
        <details>
          <summary>
            {plural(well.length, 'setting is as it should be', 'settings are as they should be')}
          </summary>
          <ul className="checks">
            {well.map((check) => (
              <CheckLine key={`${check.at} ${check.name}`} check={check} />
            ))}
          </ul>
        </details>
      ) : null}
    </>
  );
}

function CheckLine({ check }: { readonly check: Check }) {
  return (
    <li>
      <Badge shown={RESULTS[check.result]} />
      <div>
        <strong>{check.name}</strong> <span className="muted">at {check.at}</span>
        <p>
          <Prose text={check.found} />
        </p>
        {check.remedy ? (
          <p className="remedy">
            <Prose text={check.remedy} />
          </p>
        ) : null}
      </div>
    </li>
  );
}
