/**
 * Parts of states and their numbers: the same part always has the same number, so that a state is a
 * handful of words and a rule's answer for the same parts is computed once.
 */
import { textOf } from './renaming.js';

export class Interner<Part> {
  private readonly numbers = new Map<string, number>();
  private readonly parts: Part[] = [];

  /** `normal` brings a part into the form in which it is kept. */
  constructor(private readonly normal: (part: Part) => Part = (part) => part) {}

  get size(): number {
    return this.parts.length;
  }

  number(part: Part): number {
    const normal = this.normal(part);
    const text = textOf(normal);
    const known = this.numbers.get(text);
    if (known !== undefined) return known;
    this.numbers.set(text, this.parts.length);
    return this.parts.push(normal) - 1;
  }

  part(number: number): Part {
    return this.parts[number] as Part;
  }
}

/** Answers remembered by three small numbers: arrays in arrays, since a map costs more than most rules. */
export class Memory<Answer> {
  private readonly answers: (Answer | undefined)[][][] = [];

  recall(a: number, b: number, c: number, answer: () => Answer): Answer {
    const row = ((this.answers[a] ??= [])[b] ??= []);
    const known = row[c];
    if (known !== undefined) return known;
    const made = answer();
    row[c] = made;
    return made;
  }
}
