/**
 * Everything that is known of a transaction, live or from a dossier. Guards "say why": the explanation
 * comes before every detail; and read-only is the default: actions are passed in by the page that offers them.
 */
import type { AdminTransaction } from '@concordat/client';
import type { ReactNode } from 'react';
import { AuditTable } from '../audit/audit-table.js';
import { Badge, DecisionBadge, StatusBadge } from '../elements/badge.js';
import { CopyButton } from '../elements/copy-button.js';
import { Section } from '../elements/section.js';
import { PageHead } from '../layout/page-head.js';
import { BlockedSection } from '../waits/blocked-section.js';
import { WaitCycles } from '../waits/wait-cycle.js';
import { severityShown } from '../wording/status.js';
import { labelWords } from '../wording/told.js';
import { BranchTable } from './branch-table.js';
import { EventLog } from './event-log.js';
import { ExportButton } from './export-button.js';
import { Facts } from './facts.js';
import { layoutLanes, type MarkKind } from './lanes.js';
import { Legend } from './lane-mark.js';
import { LockImpact } from './lock-impact.js';
import { Runbook } from './runbook.js';
import { SwimLanes } from './swim-lanes.js';
import { Why } from './why.js';

const AUDIT_SHOWN = 8;

export function TransactionView({
  detail,
  actions,
}: {
  readonly detail: AdminTransaction;
  readonly actions?: ReactNode;
}) {
  const { transaction, explanation } = detail;
  return (
    <article className="transaction">
      <PageHead
        title={labelWords(transaction.label, 'Transaction')}
        says={
          <span className="transaction-id">
            <code>{transaction.transactionId}</code>
            <CopyButton text={transaction.transactionId} what="the transaction id" />
          </span>
        }
      >
        <StatusBadge status={transaction.status} />
        <DecisionBadge decision={transaction.decision} />
        {explanation.severity === 'fine' ? null : (
          <Badge shown={severityShown(explanation.severity)} strong />
        )}
      </PageHead>
      <div className="transaction-top">
        <Why detail={detail} />
        {actions}
        <Section title="Timeline">
          <SwimLanes detail={detail} />
          <Legend kinds={kindsOf(detail)} />
        </Section>
      </div>
      <Section title="Branches">
        <BranchTable branches={detail.branches} />
      </Section>
      <WaitCycles cycles={detail.cycles ?? []} self={transaction.transactionId} />
      <BlockedSection detail={detail} />
      <LockImpact branches={detail.branches} />
      <Runbook branches={detail.branches} decision={transaction.decision} />
      <Section title="Facts" aside={<ExportButton detail={detail} />}>
        <Facts detail={detail} />
      </Section>
      <div id="audit">
        <Section title="Audit" says="What people did to it, and why.">
          <AuditTable
            entries={detail.audit}
            empty="No action has been taken on it."
            hideTransaction
            most={AUDIT_SHOWN}
          />
        </Section>
      </div>
      <Section title="Events" says="As the coordinator noted them. Inputs are never kept.">
        <EventLog events={detail.events} />
      </Section>
    </article>
  );
}

function kindsOf(detail: AdminTransaction): ReadonlySet<MarkKind> {
  const { lanes } = layoutLanes(detail, Date.parse(detail.serverTime), 100);
  return new Set(lanes.flatMap((lane) => lane.marks.map((mark) => mark.kind)));
}
