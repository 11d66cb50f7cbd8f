/**
 * What an action brought about, per branch. Guards "show effects, not submissions".
 */
import type { ActionResult } from '@concordat/client';
import { useFold } from '../elements/fold.js';
import { Glyph } from '../elements/glyph.js';
import { Prose } from '../elements/prose.js';
import { resultWords } from './wording.js';

const SHOWN = 6;

export function ActionResultNote({ result }: { readonly result: ActionResult }) {
  const isAllWell = result.branches.every(
    ({ result: one }) => one === 'done' || one === 'nothing-to-do',
  );
  const { shown, button } = useFold(result.branches, { most: SHOWN, what: 'branches' });
  return (
    <div className={`note ${isAllWell ? 'note-good' : 'note-changed'}`}>
      <Glyph name={isAllWell ? 'check' : 'half'} size={16} />
      <div className="note-text">
        <strong>
          <Prose text={result.summary} />
        </strong>
        <ul className="results">
          {shown.map((one) => (
            <li key={one.branch}>
              <span>{one.participant}</span> <strong>{resultWords(one.result)}</strong>
              {one.detail ? (
                <span className="muted">
                  {' '}
                  <Prose text={one.detail} />
                </span>
              ) : null}
            </li>
          ))}
        </ul>
        {button}
        <p className="muted">
          In the audit as <code>{result.auditId}</code>
        </p>
      </div>
    </div>
  );
}
