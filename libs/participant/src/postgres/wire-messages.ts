/**
 * Messages of the extended query protocol (Postgres manual, "Message Formats"), several in one buffer:
 * what a branch sends at once leaves in one write, and a statement without values is encoded once. Text
 * format throughout.
 */

/** Grows to the longest flight; what is sent is a copy. */
let bytes = Buffer.allocUnsafe(4_096);

const EXECUTE_TO_THE_END = Buffer.from([0x45, 0, 0, 0, 9, 0, 0, 0, 0, 0]);
const SYNC = Buffer.from([0x53, 0, 0, 0, 4]);
const PARSE = 0x50;
const BIND = 0x42;
const NULL_VALUE = -1;
/** No character of a text takes more bytes in UTF-8. */
const BYTES_PER_CHARACTER = 3;
/** Kept encodings. A process has a dozen statements without values, and each connection shares them. */
const KEPT_MAX = 100;
const kept = new Map<string, Buffer>();

/** One buffer under way. One at a time: the code that begins it ends it before anything else runs. */
export class WireMessages {
  private end = 0;

  /** Prepares a statement under a name; the empty name is the connection's unnamed one. */
  parse(name: string, text: string): void {
    const from = this.open(PARSE, name.length + text.length);
    this.text(name);
    this.text(text);
    this.int16(0); // No type of a parameter is given.
    this.close(from);
  }

  /** Binds a statement to these values and executes it to its end. */
  run(name: string, values: readonly (string | null)[]): void {
    if (values.length > 0) return this.bindAndExecute(name, values);
    let encoded = kept.get(name);
    if (!encoded) {
      const from = this.end;
      this.bindAndExecute(name, values);
      encoded = Buffer.from(bytes.subarray(from, this.end));
      if (kept.size < KEPT_MAX) kept.set(name, encoded);
      return;
    }
    this.append(encoded);
  }

  /** Ends the flight: the buffer to send. */
  sync(): Buffer {
    this.append(SYNC);
    return Buffer.from(bytes.subarray(0, this.end));
  }

  /** The buffer so far, which goes on in what is sent behind it. */
  unended(): Buffer {
    return Buffer.from(bytes.subarray(0, this.end));
  }

  private bindAndExecute(name: string, values: readonly (string | null)[]): void {
    let characters = name.length;
    for (const value of values) characters += 4 + (value?.length ?? 0);
    const from = this.open(BIND, characters);
    bytes[this.end++] = 0; // The unnamed portal.
    this.text(name);
    this.int16(0); // Every value is text,
    this.int16(values.length);
    for (const value of values) this.value(value);
    this.int16(0); // and so is every column.
    this.close(from);
    this.append(EXECUTE_TO_THE_END);
  }

  private open(type: number, characters: number): number {
    this.makeRoom(characters * BYTES_PER_CHARACTER + 32);
    const from = this.end;
    bytes[from] = type;
    this.end += 5;
    return from;
  }

  /** Writes the length of a message into its head; it counts itself, not the type. */
  private close(from: number): void {
    bytes.writeInt32BE(this.end - from - 1, from + 1);
  }

  private text(text: string): void {
    this.end += bytes.write(text, this.end);
    bytes[this.end++] = 0;
  }

  private value(value: string | null): void {
    if (value === null) {
      this.end = bytes.writeInt32BE(NULL_VALUE, this.end);
      return;
    }
    const length = bytes.write(value, this.end + 4);
    bytes.writeInt32BE(length, this.end);
    this.end += 4 + length;
  }

  private int16(value: number): void {
    this.end = bytes.writeInt16BE(value, this.end);
  }

  private append(encoded: Buffer): void {
    this.makeRoom(encoded.length);
    encoded.copy(bytes, this.end);
    this.end += encoded.length;
  }

  private makeRoom(more: number): void {
    if (this.end + more <= bytes.length) return;
    const larger = Buffer.allocUnsafe(2 * (this.end + more));
    bytes.copy(larger, 0, 0, this.end);
    bytes = larger;
  }
}
