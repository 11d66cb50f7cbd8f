/** Several statements in one buffer are the messages of the protocol, with any values. */
import { WireMessages } from './wire-messages.js';

interface Message {
  readonly type: string;
  readonly body: Buffer;
}

/** The messages in a buffer, by their types and lengths. */
function messagesIn(sent: Buffer): Message[] {
  const messages: Message[] = [];
  for (let at = 0; at < sent.length;) {
    const length = sent.readInt32BE(at + 1);
    messages.push({
      type: String.fromCharCode(sent[at] ?? 0),
      body: sent.subarray(at + 5, at + 1 + length),
    });
    at += 1 + length;
  }
  return messages;
}

/** Statement and values of a Bind message. */
function boundIn({ body }: Message): { statement: string; values: (string | null)[] } {
  const nameEnd = body.indexOf(0, 1);
  let at = nameEnd + 3; // Behind the number of formats, which is none.
  const count = body.readInt16BE(at);
  at += 2;
  const values = Array.from({ length: count }, () => {
    const length = body.readInt32BE(at);
    at += 4;
    if (length === -1) return null;
    at += length;
    return body.toString('utf8', at - length, at);
  });
  expect(body.subarray(at)).toEqual(Buffer.from([0, 0]));
  return { statement: body.toString('utf8', 1, nameEnd), values };
}

const flight = (run: (messages: WireMessages) => void): Message[] => {
  const messages = new WireMessages();
  run(messages);
  return messagesIn(messages.sync());
};

describe('A flight in one buffer', () => {
  it('parses, binds, executes to the end and syncs, in this order', () => {
    const sent = flight((messages) => {
      messages.parse('one', 'SELECT $1');
      messages.run('one', ['x']);
      messages.run('two', []);
    });
    expect(sent.map(({ type }) => type).join('')).toBe('PBEBES');
    expect(sent[0]?.body.toString()).toBe('one\0SELECT $1\0\0\0');
    expect(sent[2]?.body).toEqual(Buffer.from([0, 0, 0, 0, 0]));
    expect(sent[5]?.body).toHaveLength(0);
  });

  it.each([
    ['nothing', ['']],
    ['NULL among them', ['a', null, 'b']],
    ['characters of several bytes', ['ä€😀', '\u0000?', '漢'.repeat(3)]],
    ['more bytes than ever before', ['€'.repeat(100_000), 'x']],
  ])('binds values with %s', (_what, values) => {
    const [bind] = flight((messages) => messages.run('naïve', values));
    expect(boundIn(bind as Message)).toEqual({ statement: 'naïve', values });
  });

  it('binds a statement without values alike, the first time and again', () => {
    const twice = flight((messages) => {
      messages.run('again', []);
      messages.run('other', []);
      messages.run('again', []);
    });
    const bound = twice.filter(({ type }) => type === 'B').map(boundIn);
    expect(bound.map(({ statement }) => statement)).toEqual(['again', 'other', 'again']);
    expect(flight((messages) => messages.run('again', [])).map(({ type }) => type)).toEqual([
      ...'BES',
    ]);
  });
});
