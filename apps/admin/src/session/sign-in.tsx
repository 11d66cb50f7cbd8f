/**
 * Signing in with a key of an operator. Guards "a key is not kept": it is sent once and exchanged for a
 * cookie that scripts cannot read.
 */
import { useState, type SyntheticEvent } from 'react';
import { change } from '../api/http.js';
import { Mark } from '../elements/mark.js';
import { ProblemNote } from '../elements/problem-note.js';

export function SignIn({ onSignedIn }: { readonly onSignedIn: () => void }) {
  const [error, setError] = useState<unknown>();
  const [asking, setAsking] = useState(false);
  const submit = (event: SyntheticEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const key = String(new FormData(event.currentTarget).get('key') ?? '').trim();
    if (key === '') return;
    setAsking(true);
    setError(undefined);
    change('/session', { key })
      .then(onSignedIn, setError)
      .finally(() => setAsking(false));
  };
  return (
    <main className="sign-in">
      <form className="card sign-in-card" onSubmit={submit}>
        <div className="sign-in-brand">
          <Mark size={34} />
          <div>
            <h1>Concordat</h1>
            <p className="muted">Stuck transactions, and how to settle them</p>
          </div>
        </div>
        <label className="field">
          <span>Key</span>
          <input name="key" type="password" autoComplete="current-password" required autoFocus />
          <small className="muted">
            A viewer&rsquo;s or operator&rsquo;s key. <code>npm start</code> writes one to{' '}
            <code>.concordat/dev.json</code> as <code>adminKey</code>.
          </small>
        </label>
        {error ? <ProblemNote error={error} /> : null}
        <button type="submit" className="button button-primary" disabled={asking}>
          {asking ? 'Signing in …' : 'Sign in'}
        </button>
      </form>
    </main>
  );
}
