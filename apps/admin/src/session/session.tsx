/**
 * The signed-in user, and what the role allows. Guards "read-only is the default": without a session nothing
 * is shown but the sign-in, and a role only ever decides what the page explains; the coordinator decides.
 */
import type { AdminSession } from '@concordat/client';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { createContext, useContext, useEffect, type ReactNode } from 'react';
import { change, get, onSignedOut } from '../api/http.js';
import { Problem } from '../api/problem.js';
import { ProblemNote } from '../elements/problem-note.js';
import { SignIn } from './sign-in.js';

const KEY = ['session'];

const Context = createContext<AdminSession | undefined>(undefined);

/** The session, which everything below `SessionGate` has. */
export function useSession(): AdminSession {
  const session = useContext(Context);
  if (!session) throw new Error('useSession needs a SessionGate above it.');
  return session;
}

export function SessionGate({ children }: { readonly children: ReactNode }) {
  const queries = useQueryClient();
  const session = useQuery({
    queryKey: KEY,
    queryFn: ({ signal }) => currentSession(signal),
    staleTime: Infinity,
    refetchInterval: false,
  });
  useEffect(() => {
    onSignedOut(() => queries.setQueryData(KEY, null));
    return () => onSignedOut(() => undefined);
  }, [queries]);
  if (session.data) return <Context value={session.data}>{children}</Context>;
  if (session.isPending) return <p className="visually-hidden">Asking who is signed in …</p>;
  if (session.isError) {
    return (
      <main className="sign-in">
        <ProblemNote error={session.error} onRetry={() => void session.refetch()} />
      </main>
    );
  }
  return <SignIn onSignedIn={() => void session.refetch()} />;
}

/** Ends the session at the coordinator and forgets everything that was shown. */
export function useSignOut(): () => Promise<void> {
  const queries = useQueryClient();
  return async () => {
    try {
      await change('/session', {}, { method: 'DELETE' });
    } finally {
      // Also when the other coordinators could not be notified: this browser's cookie is gone.
      queries.setQueryData(KEY, null);
      queries.removeQueries({ predicate: (query) => query.queryKey[0] !== KEY[0] });
    }
  };
}

async function currentSession(signal: AbortSignal): Promise<AdminSession | null> {
  try {
    return await get<AdminSession>('/session', {}, signal);
  } catch (error) {
    if (error instanceof Problem && error.isSignedOut) return null;
    throw error;
  }
}
