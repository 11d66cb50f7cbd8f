/**
 * One statement in a message of its own, of whose answer only the command tag counts: what the protocol
 * wants for PREPARE TRANSACTION, without what a driver does for rows and their columns.
 */
import type { PoolClient, Submittable } from 'pg';
import { ask } from './own-types.js';

/**
 * Runs a statement. Resolves with the first word of its command tag, as a driver gives it: `PREPARE`.
 * Rejects with what the server or the driver said.
 */
export async function tagOf(client: PoolClient, text: string): Promise<string> {
  // A driver in pipeline mode takes no submittable.
  if ((client as { pipeline?: boolean }).pipeline) return (await ask(client, { text })).command;
  return new Promise((resolve, reject) => {
    client.query(
      new PlainStatement(text, (error, tag) => {
        if (error) reject(error);
        else resolve(tag);
      }),
    );
  });
}

/** What pg's connection offers a query that is being submitted. */
interface Wire {
  query(text: string): void;
}

class PlainStatement implements Submittable {
  private tag = '';

  constructor(
    private readonly statement: string,
    /** Public because pg replaces it when a query time-out is configured. */
    public callback: (error: Error | undefined, tag: string) => void,
  ) {}

  submit(connection: unknown): void {
    (connection as Wire).query(this.statement);
  }

  handleCommandComplete({ text }: { readonly text: string }): void {
    [this.tag = ''] = text.split(' ', 1);
  }

  handleReadyForQuery(): void {
    this.callback(undefined, this.tag);
  }

  handleError(error: Error): void {
    this.callback(error, '');
  }

  handleRowDescription(): void {
    // Rows are not looked at.
  }

  handleDataRow(): void {
    // Nor is what is in them.
  }

  handleEmptyQuery(): void {
    // No statement, no tag.
  }

  handlePortalSuspended(): void {
    // Never asked for.
  }
}
