/**
 * The page as a whole: settings, session, live connection, and which page the address names.
 */
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { Component, useState, type ReactNode } from 'react';
import { Redirect, Route, Router, Switch, useLocation } from 'wouter';
import { Problem } from './api/problem.js';
import { AuditPage } from './audit/audit-page.js';
import { DossierPage } from './dossier/dossier-page.js';
import { ProblemNote } from './elements/problem-note.js';
import { Empty } from './elements/empty.js';
import { PageHead } from './layout/page-head.js';
import { SettingsProvider } from './layout/settings.js';
import { Shell } from './layout/shell.js';
import { LiveProvider } from './live/live.js';
import { OperationPage } from './operations/operation-page.js';
import { OperationsPage } from './operations/operations-page.js';
import { OrphansPage } from './orphans/orphans-page.js';
import { OverviewPage } from './overview/overview-page.js';
import { ParticipantsPage } from './participants/participants-page.js';
import { SessionGate } from './session/session.js';
import { TransactionPage } from './transaction/transaction-page.js';
import { TransactionsPage } from './transactions/transactions-page.js';

const RETRIES = 1;

function makeQueries(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        staleTime: 1_000,
        // Ask also when the browser thinks it is offline: only silence says that it is.
        networkMode: 'always',
        // Refusals do not change by asking again; silence may.
        retry: (failed, error) => !(error instanceof Problem) && failed < RETRIES,
        retryDelay: 1_000,
        refetchOnWindowFocus: true,
      },
    },
  });
}

export function App() {
  const [queries] = useState(makeQueries);
  return (
    <SettingsProvider>
      <QueryClientProvider client={queries}>
        <Router base="/admin">
          <Caught>
            <SessionGate>
              <LiveProvider>
                <Shell>
                  <CaughtPages />
                </Shell>
              </LiveProvider>
            </SessionGate>
          </Caught>
        </Router>
      </QueryClientProvider>
    </SettingsProvider>
  );
}

/** A failure of one page ends with it: another address begins again. */
function CaughtPages() {
  const [location] = useLocation();
  return (
    <Caught key={location}>
      <Pages />
    </Caught>
  );
}

function Pages() {
  return (
    <Switch>
      <Route path="/" component={OverviewPage} />
      <Route path="/transactions" component={TransactionsPage} />
      <Route path="/transactions/:id">{({ id }) => <TransactionPage key={id} id={id} />}</Route>
      <Route path="/participants" component={ParticipantsPage} />
      <Route path="/orphans" component={OrphansPage} />
      <Route path="/operations" component={OperationsPage} />
      <Route path="/operations/:id">{({ id }) => <OperationPage key={id} id={id} />}</Route>
      <Route path="/audit" component={AuditPage} />
      <Route path="/dossier" component={DossierPage} />
      <Route path="/index.html">
        <Redirect to="/" replace />
      </Route>
      <Route>
        <PageHead title="No such page" />
        <Empty title="There is no such page">
          The address may be of another version. Everything is reached from the menu.
        </Empty>
      </Route>
    </Switch>
  );
}

/** A page that fails to draw says so, and the rest stays usable. */
class Caught extends Component<{ readonly children: ReactNode }, { readonly error?: unknown }> {
  override state: { readonly error?: unknown } = {};

  static getDerivedStateFromError(error: unknown): { error: unknown } {
    return { error };
  }

  override render(): ReactNode {
    if (this.state.error === undefined) return this.props.children;
    return (
      <ProblemNote error={this.state.error} onRetry={() => this.setState({ error: undefined })} />
    );
  }
}
