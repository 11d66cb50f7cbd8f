/**
 * What is wrong now, and how bad. Guards "stuck first": the numbers that need attention come first, are
 * links, and are calm when they are zero.
 */
import type { AdminOverview } from '@concordat/client';
import { useQuery } from '@tanstack/react-query';
import { overviewQuery } from '../api/queries.js';
import { ProblemNote } from '../elements/problem-note.js';
import { Section } from '../elements/section.js';
import { Skeleton } from '../elements/skeleton.js';
import { PageHead } from '../layout/page-head.js';
import { useLive } from '../live/live.js';
import { AgeHistogram } from './age-histogram.js';
import { Coordinators } from './coordinators.js';
import { Doctor } from './doctor.js';
import { Headline } from './headline.js';
import { ParticipantSummaries } from './participant-summaries.js';
import { AbortReasons } from './abort-reasons.js';
import { Throughput } from './throughput.js';
import { verdict } from './verdict.js';

export function OverviewPage() {
  const { pollMs } = useLive();
  const { data, error, refetch } = useQuery({ ...overviewQuery, refetchInterval: pollMs });
  return (
    <>
      <PageHead title="Overview" says={data ? verdict(data) : 'Asking the coordinator …'} />
      {error ? <ProblemNote error={error} onRetry={() => void refetch()} /> : null}
      {data ? <Content overview={data} /> : <Skeleton rows={8} label="Loading the overview" />}
    </>
  );
}

function Content({ overview }: { readonly overview: AdminOverview }) {
  return (
    <>
      <Headline overview={overview} />
      <div className="overview-grid">
        <Section
          title="In doubt, by age"
          says="Click a bar for the transactions at least that old."
        >
          <AgeHistogram buckets={overview.inDoubt?.histogram} />
        </Section>
        <Section title="Throughput" says="Committed and aborted per second, last ten minutes.">
          <Throughput overview={overview} />
        </Section>
        <Section title="Participants" says="Prepared slots, branches in doubt, who waits.">
          <ParticipantSummaries participants={overview.participants} />
        </Section>
        <Section title="Coordinators" says="Register, broker, and who finishes what.">
          <Coordinators overview={overview} />
        </Section>
        <Section title="Why transactions abort" says="Over the same window.">
          <AbortReasons reasons={overview.abortReasons} />
        </Section>
        <Section title="Doctor" says="Settings that two-phase commit depends on.">
          <Doctor />
        </Section>
      </div>
    </>
  );
}
