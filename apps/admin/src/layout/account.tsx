/**
 * The signed-in user and the role, the reader's choices, and the way out.
 */
import { useSession, useSignOut } from '../session/session.js';
import { useSettings, type Theme } from './settings.js';

const ROLE_MEANS: Readonly<Record<string, string>> = {
  viewer: 'looks, changes nothing',
  operator: 'acts by the rules',
  force: 'may act against a decision',
};

export function Account() {
  const { principal, role, forceEnabled } = useSession();
  const { theme, zone, choose } = useSettings();
  const signOut = useSignOut();
  return (
    <div className="account">
      <div className="account-choices">
        <Choice
          label="Theme"
          value={theme}
          options={['auto', 'light', 'dark']}
          onChoose={(next) => choose({ theme: next as Theme })}
        />
        <Choice
          label="Times"
          value={zone}
          options={['utc', 'local']}
          onChoose={(next) => choose({ zone: next === 'local' ? 'local' : 'utc' })}
        />
      </div>
      <p className="account-who">
        <strong className="truncate">{principal}</strong>
        <span className="muted">
          {role}: {ROLE_MEANS[role] ?? role}
          {role === 'force' && !forceEnabled ? ', which is switched off here' : ''}
        </span>
      </p>
      <button type="button" className="button button-small" onClick={() => void signOut()}>
        Sign out
      </button>
    </div>
  );
}

function Choice({
  label,
  value,
  options,
  onChoose,
}: {
  readonly label: string;
  readonly value: string;
  readonly options: readonly string[];
  readonly onChoose: (value: string) => void;
}) {
  return (
    <div className="choice" role="group" aria-label={label}>
      <span className="choice-label" aria-hidden="true">
        {label}
      </span>
      <div className="segmented">
        {options.map((one) => (
          <button
            key={one}
            type="button"
            aria-pressed={one === value}
            onClick={() => onChoose(one)}
          >
            {one === 'utc' ? 'UTC' : one}
          </button>
        ))}
      </div>
    </div>
  );
}
