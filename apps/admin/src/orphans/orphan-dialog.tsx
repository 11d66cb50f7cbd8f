/**
 * Asks what an action on an orphan needs, and carries it out on the orphan as it was seen. Guards "If-Match
 * on every change": when the comparison has found something else since, the question is asked again.
 */
import type {
  AdminOrphanList,
  Orphan,
  OrphanAction,
  OrphanActionRequest,
  OrphanActionResult,
} from '@concordat/client';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { ChangedNote } from '../actions/changed-note.js';
import { NeedsForm } from '../actions/needs-form.js';
import type { Said } from '../actions/use-act.js';
import { actionName, isForce } from '../actions/wording.js';
import { change, get } from '../api/http.js';
import { Problem } from '../api/problem.js';
import { orphansQuery } from '../api/queries.js';
import { Dialog } from '../elements/dialog.js';
import { ProblemNote } from '../elements/problem-note.js';
import { Prose } from '../elements/prose.js';
import { changesOf } from './changes.js';

interface Asking {
  readonly isBusy: boolean;
  readonly error: unknown;
  run(request: OrphanActionRequest, etag: string): Promise<Asked>;
}

type Asked =
  | { readonly kind: 'done'; readonly result: OrphanActionResult }
  /** `now` is absent where the comparison finds it no more. */
  | { readonly kind: 'changed'; readonly now: Orphan | undefined }
  | { readonly kind: 'failed' };

function useAsking(): Asking {
  const queries = useQueryClient();
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const run = async (request: OrphanActionRequest, etag: string): Promise<Asked> => {
    setBusy(true);
    setError(undefined);
    try {
      const result = await change<OrphanActionResult>('/orphans/actions', request, { etag });
      return { kind: 'done', result };
    } catch (thrown) {
      if (thrown instanceof Problem && thrown.isStale) {
        const list = await get<AdminOrphanList>('/orphans').catch(() => undefined);
        const { gid, participant } = request;
        if (list) {
          const same = (one: Orphan) => one.gid === gid && one.participant === participant;
          return { kind: 'changed', now: list.orphans.find(same) };
        }
      }
      setError(thrown);
      return { kind: 'failed' };
    } finally {
      setBusy(false);
      void queries.invalidateQueries({ queryKey: orphansQuery.queryKey });
    }
  };
  return { isBusy, error, run };
}

export function OrphanDialog({
  orphan,
  action,
  onDone,
  onClose,
}: {
  readonly orphan: Orphan;
  readonly action: OrphanAction;
  readonly onDone: (result: OrphanActionResult) => void;
  readonly onClose: () => void;
}) {
  // What was on the screen when the dialog opened: another comparison behind it changes nothing here.
  const [seen, setSeen] = useState(orphan);
  const [changes, setChanges] = useState<readonly string[]>([]);
  const asking = useAsking();
  const { gid, participant } = seen;
  const { action: verb } = action;
  const offer = seen.actions.find((one) => one.action === verb) ?? { ...action, offered: false };
  const submit = (said: Said): void => {
    void asking.run({ gid, participant, action: verb, ...said }, seen.etag).then((asked) => {
      if (asked.kind === 'done') onDone(asked.result);
      if (asked.kind !== 'changed') return;
      setChanges(changesOf(seen, asked.now));
      setSeen(asked.now ?? { ...seen, actions: [] });
    });
  };
  return (
    <Dialog
      title={`${actionName(verb)} at ${participant}`}
      tone={isForce(verb) ? 'danger' : 'calm'}
      onClose={onClose}
    >
      <code className="muted wraps">{gid}</code>
      {changes.length > 0 ? <ChangedNote changes={changes} /> : null}
      {offer.offered ? (
        <NeedsForm
          // Typed again after a change: a confirmation is of what is read now.
          key={seen.etag}
          submitWord={actionName(verb)}
          consequence={offer.consequence}
          needs={offer.needs}
          isDanger={isForce(verb)}
          isBusy={asking.isBusy}
          onSubmit={submit}
          onClose={onClose}
        />
      ) : (
        <p className="note">
          It is not offered any more: <Prose text={offer.because ?? 'it is no orphan now.'} />
        </p>
      )}
      {asking.error ? <ProblemNote error={asking.error} /> : null}
    </Dialog>
  );
}
