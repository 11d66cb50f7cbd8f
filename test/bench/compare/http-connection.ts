/**
 * One keep-alive connection that sends a request at a time and reads the answer, and does no more than
 * that: `fetch` costs a multiple of it. An answer must have a Content-Length.
 */
import { connect, type Socket } from 'node:net';

export interface Answer {
  readonly status: number;
  readonly body: string;
}

interface Waiting {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
}

const HEADERS_END = '\r\n\r\n';

export class HttpConnection {
  private readonly socket: Socket;
  private readonly head: string;
  private heard = '';
  private waiting: Waiting | undefined;
  private lost: Error | undefined;

  constructor(url: string, key: string) {
    const { hostname, port, host } = new URL(url);
    this.head = `Host: ${host}\r\nAuthorization: Bearer ${key}\r\n`;
    this.socket = connect(Number(port), hostname);
    this.socket.setNoDelay(true);
    this.socket.setEncoding('latin1');
    this.socket.on('data', (chunk: string) => this.read(chunk));
    this.socket.on('error', (error) => this.lose(error));
    this.socket.on('close', () => this.lose(new Error('the connection was closed')));
  }

  /** True once it can carry no further request. */
  get isLost(): boolean {
    return this.lost !== undefined;
  }

  /** Sends one request; a body is JSON. ASCII only. Rejects when the connection is lost. */
  post(path: string, body?: string): Promise<Answer> {
    if (this.lost) return Promise.reject(this.lost);
    const text = body ?? '';
    const type = body === undefined ? '' : 'Content-Type: application/json\r\n';
    return new Promise((resolve, reject) => {
      this.waiting = { resolve, reject };
      this.socket.write(
        `POST ${path} HTTP/1.1\r\n${this.head}${type}Content-Length: ${text.length}\r\n\r\n${text}`,
        'latin1',
      );
    });
  }

  close(): void {
    this.socket.destroy();
  }

  private read(chunk: string): void {
    this.heard += chunk;
    const end = this.heard.indexOf(HEADERS_END);
    if (end < 0) return;
    const length = /\r\ncontent-length: *(\d+)/i.exec(this.heard.slice(0, end))?.[1];
    if (length === undefined) return this.lose(new Error('an answer has no Content-Length'));
    const from = end + HEADERS_END.length;
    const until = from + Number(length);
    if (this.heard.length < until) return;
    const answer = { status: Number(this.heard.slice(9, 12)), body: this.heard.slice(from, until) };
    this.heard = this.heard.slice(until);
    const { waiting } = this;
    this.waiting = undefined;
    waiting?.resolve(answer);
  }

  private lose(error: Error): void {
    this.lost ??= error;
    this.waiting?.reject(this.lost);
    this.waiting = undefined;
    this.socket.destroy();
  }
}
