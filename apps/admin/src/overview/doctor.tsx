/** What the doctor found: only what is not well, with the remedy; the rest is a number. */
import { useQuery } from '@tanstack/react-query';
import { doctorQuery } from '../api/queries.js';
import { ProblemNote } from '../elements/problem-note.js';
import { CheckList } from './check-list.js';

const MINUTE_MS = 60_000;

export function Doctor() {
  const { data, error, refetch } = useQuery({
    ...doctorQuery,
    staleTime: MINUTE_MS,
    refetchInterval: MINUTE_MS,
  });
  if (error) return <ProblemNote error={error} onRetry={() => void refetch()} />;
  if (!data) return <p className="quiet-line muted">Looking …</p>;
  return <CheckList checks={data.checks} />;
}
