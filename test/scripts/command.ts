/** One command of a story: a verb, words, and options like `at=c2`. */
export class Command {
  readonly verb: string;
  readonly words: readonly string[];
  private readonly options = new Map<string, string>();

  constructor(readonly text: string) {
    const [verb = '', ...rest] = text.trim().split(/\s+/);
    this.verb = verb;
    this.words = rest.filter((one) => !one.includes('='));
    for (const one of rest.filter((each) => each.includes('='))) {
      const at = one.indexOf('=');
      this.options.set(one.slice(0, at), one.slice(at + 1));
    }
  }

  word(at: number, what: string): string {
    const word = this.words[at];
    if (word === undefined) throw new Error(`${this.verb} needs ${what}`);
    return word;
  }

  option(name: string): string | undefined {
    return this.options.get(name);
  }

  number(name: string): number | undefined {
    const text = this.options.get(name);
    return text === undefined ? undefined : Number(text);
  }

  /** Throws when an option is none of these: a misspelt one must not be ignored. */
  assertOptions(known: readonly string[]): void {
    for (const name of this.options.keys()) {
      if (!known.includes(name)) throw new Error(`${this.verb} has no option ${name}`);
    }
  }
}
