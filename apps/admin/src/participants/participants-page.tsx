/**
 * Participants, their state, and what is prepared in their databases. Guards "a missing answer is not
 * health": a participant that answers nothing is shown with the time of its last answer.
 */
import { useQuery } from '@tanstack/react-query';
import { useEffect } from 'react';
import { useSearch } from 'wouter';
import { participantsQuery } from '../api/queries.js';
import { Empty } from '../elements/empty.js';
import { ProblemNote } from '../elements/problem-note.js';
import { Skeleton } from '../elements/skeleton.js';
import { PageHead } from '../layout/page-head.js';
import { useLive } from '../live/live.js';
import { ParticipantCard } from './participant-card.js';

export function ParticipantsPage() {
  const name = new URLSearchParams(useSearch()).get('name') ?? undefined;
  const { pollMs } = useLive();
  const { data, error, isPending, refetch } = useQuery({
    ...participantsQuery,
    refetchInterval: pollMs,
  });
  const isHere = data?.participants.some((one) => one.participant === name);
  useEffect(() => {
    if (name && isHere) document.getElementById(`participant-${name}`)?.scrollIntoView();
  }, [name, isHere]);
  return (
    <>
      <PageHead title="Participants" says="Services that take part, and what is prepared there." />
      {error ? <ProblemNote error={error} onRetry={() => void refetch()} /> : null}
      {isPending ? <Skeleton rows={6} label="Asking the participants" /> : null}
      {data && data.participants.length === 0 ? (
        <Empty title="No participant has answered yet" lookedAt={data.serverTime}>
          A service appears here when it connects for the first time.
        </Empty>
      ) : null}
      {data && name && !isHere ? (
        <p className="note">
          No participant is called <strong>{name}</strong>. These are known:
        </p>
      ) : null}
      <div className="cards">
        {data?.participants.map((one) => (
          <ParticipantCard key={one.participant} known={one} isOpen={one.participant === name} />
        ))}
      </div>
    </>
  );
}
