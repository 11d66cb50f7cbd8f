/**
 * Retiring a participant that is permanently gone. Guards "what is done is what was seen": the request carries
 * the tag of what the dialog was opened on, and a refusal is shown with its reason.
 */
import type { AdminParticipant, RetireResult } from '@concordat/client';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { NeedsForm } from '../actions/needs-form.js';
import { whyMayNot } from '../actions/role.js';
import type { Said } from '../actions/use-act.js';
import { change } from '../api/http.js';
import { participantsQuery } from '../api/queries.js';
import { Dialog } from '../elements/dialog.js';
import { ProblemNote } from '../elements/problem-note.js';
import { Prose } from '../elements/prose.js';
import { useSession } from '../session/session.js';

export function Retire({ known }: { readonly known: AdminParticipant }) {
  const [seen, setSeen] = useState<AdminParticipant>();
  const { role } = useSession();
  const action = known.actions.find((one) => one.action === 'retire');
  // A name that answers is no candidate: the button is for names that do not answer any more.
  if (!action || known.state !== 'silent') return null;
  const mayNot = whyMayNot(role, action.needs.role);
  const isOffered = action.offered && mayNot === undefined;
  const because = action.offered ? mayNot : action.because;
  const says = `says-retire-${known.participant}`;
  return (
    <div className="action-list">
      <button
        type="button"
        className="button"
        aria-disabled={!isOffered}
        aria-describedby={says}
        onClick={() => (isOffered ? setSeen(known) : undefined)}
      >
        Retire {known.participant} …
      </button>
      <small id={says} className={isOffered ? 'muted' : 'because'}>
        <Prose text={isOffered ? action.consequence : `Not now. ${because ?? ''}`} />
      </small>
      {seen ? <RetireDialog seen={seen} onClose={() => setSeen(undefined)} /> : null}
    </div>
  );
}

function RetireDialog({
  seen,
  onClose,
}: {
  readonly seen: AdminParticipant;
  readonly onClose: () => void;
}) {
  const queries = useQueryClient();
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const { participant, etag } = seen;
  const [action] = seen.actions;
  const submit = (said: Said): void => {
    setBusy(true);
    setError(undefined);
    change<RetireResult>(`/participants/${encodeURIComponent(participant)}/retire`, said, { etag })
      .then(onClose, setError)
      .finally(() => {
        setBusy(false);
        void queries.invalidateQueries({ queryKey: participantsQuery.queryKey });
      });
  };
  if (!action) return null;
  return (
    <Dialog title={`Retire ${participant}`} tone="calm" onClose={onClose}>
      <NeedsForm
        submitWord="Retire"
        consequence={action.consequence}
        needs={action.needs}
        isDanger={false}
        isBusy={isBusy}
        onSubmit={submit}
        onClose={onClose}
      />
      {error ? <ProblemNote error={error} /> : null}
    </Dialog>
  );
}
