/**
 * Exact statements for a person at a participant's database. Guards "never the opposite": they are the
 * coordinator's, and COMMIT PREPARED is among them only if commit is decided.
 */
import type { AdminBranch, Decision } from '@concordat/client';
import { CopyButton } from '../elements/copy-button.js';
import { useFold } from '../elements/fold.js';
import { Section } from '../elements/section.js';
import { thatMatter } from './matters.js';

const RUNBOOKS_SHOWN = 4;

export function Runbook({
  branches,
  decision,
}: {
  readonly branches: readonly AdminBranch[];
  readonly decision: Decision | undefined;
}) {
  const withSteps = branches.filter(({ runbook }) => runbook.length > 0);
  const { shown, button } = useFold(withSteps, {
    most: RUNBOOKS_SHOWN,
    what: 'branches',
    pick: thatMatter,
  });
  if (withSteps.length === 0) return null;
  return (
    <Section
      title="Runbook"
      says={
        decision
          ? `For psql at the participant's database, by the decision: ${decision}.`
          : 'For psql at the participant’s database. Nothing is decided: these only look.'
      }
    >
      <div className="runbook">
        {shown.map(({ branch, participant, runbook }) => (
          <div key={branch} className="runbook-branch">
            <h3>{participant}</h3>
            <ol>
              {runbook.map((step, index) => (
                <li key={index}>
                  <p>{step.explanation}</p>
                  <div className="sql">
                    <pre tabIndex={0}>
                      <code>{step.sql}</code>
                    </pre>
                    <CopyButton text={step.sql} what={`step ${index + 1} for ${participant}`} />
                  </div>
                </li>
              ))}
            </ol>
          </div>
        ))}
      </div>
      {button}
    </Section>
  );
}
