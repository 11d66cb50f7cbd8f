/**
 * Actions from the terminal. Guards "what is done is what was seen": the transaction is read first,
 * what will happen is said, and the action carries the entity tag of that reading.
 */
import { createInterface } from 'node:readline/promises';
import type { ActionName, ActionResult, AdminClient, OfferedAction } from '@concordat/client';
import { plain } from '../terminal/text.js';

export interface ActOptions {
  readonly branch?: string;
  readonly reason?: string;
  readonly ticket?: string;
  /** Do not ask. */
  readonly yes?: boolean;
}

/** The action is not available now; the message says why. */
export class NotOffered extends Error {
  override readonly name = 'NotOffered';
}

/** The coordinator said no, or none answers. */
export class NotConfirmed extends Error {
  override readonly name = 'NotConfirmed';
}

/** Reads, asks, acts. Throws {@link NotOffered}, {@link NotConfirmed}, or what the client throws. */
export async function act(
  client: AdminClient,
  id: string,
  action: ActionName,
  options: ActOptions,
): Promise<ActionResult> {
  const { branch, reason, ticket } = options;
  const known = await client.transaction(id);
  const offered = offerOf(known.actions, action, branch);
  if (!offered.offered) throw new NotOffered(offered.because ?? `${action} is not offered now.`);
  if (offered.needs.reason && !reason) {
    throw new NotOffered(`Say why: --reason "…". It is kept in the audit. ${offered.consequence}`);
  }
  if (offered.needs.ticket && !ticket) {
    throw new NotOffered('Name the ticket it belongs to: --ticket "…". It is kept in the audit.');
  }
  if (action !== 'retry' && options.yes !== true) await confirm(offered.consequence);
  return client.act(
    id,
    {
      action,
      ...(branch === undefined ? {} : { branch }),
      ...(reason === undefined ? {} : { reason }),
      ...(ticket === undefined ? {} : { ticket }),
    },
    known.etag,
  );
}

function offerOf(
  actions: readonly OfferedAction[],
  action: ActionName,
  branch: string | undefined,
): OfferedAction {
  const found =
    actions.find((one) => one.action === action && one.branch === branch) ??
    actions.find((one) => one.action === action && one.branch === undefined);
  if (found) return found;
  throw new NotOffered(
    branch === undefined
      ? `${action} is not known for this transaction.`
      : `${action} is not known for branch ${branch}; \`concordat show\` lists the branches.`,
  );
}

/** Asks at the terminal. Throws {@link NotConfirmed} for anything but "yes". */
export async function confirm(consequence: string): Promise<void> {
  if (!process.stdin.isTTY) {
    throw new NotConfirmed(`${consequence} There is no terminal to confirm it: add --yes.`);
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const said = await terminal.question(`${plain(consequence)}\nType yes to do it: `);
    if (said.trim().toLowerCase() !== 'yes') throw new NotConfirmed('Nothing was done.');
  } finally {
    terminal.close();
  }
}

export function describeResult(result: ActionResult): string[] {
  return [
    plain(result.summary),
    ...result.branches.map(
      (one) =>
        `  branch ${one.branch} at ${plain(one.participant)}: ${one.result}${one.detail ? `, ${plain(one.detail)}` : ''}`,
    ),
    `  audit ${result.auditId}`,
  ];
}
