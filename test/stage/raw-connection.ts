/** A connection that says byte by byte what no HTTP client would, and keeps what it receives. */
import { connect, type Socket } from 'node:net';
import { waitFor } from '@concordat/testing';

export class RawConnection {
  /** Resolves once the connection is over, whichever end closed it. */
  readonly closed: Promise<void>;
  private readonly socket: Socket;
  private heard = '';

  constructor(url: string) {
    const { hostname, port } = new URL(url);
    this.socket = connect(Number(port), hostname);
    this.socket.on('error', () => undefined);
    this.socket.on('data', (chunk) => (this.heard += String(chunk)));
    this.closed = new Promise((resolve) => this.socket.once('close', () => resolve()));
  }

  write(text: string): void {
    this.socket.write(text);
  }

  /** Everything received so far, once it matches. */
  async untilHeard(pattern: RegExp): Promise<string> {
    await waitFor(() => pattern.test(this.heard), { what: `${String(pattern)} to be received` });
    return this.heard;
  }

  end(): void {
    this.socket.destroy();
  }
}
