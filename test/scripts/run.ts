/**
 * Plays scripts: prose lines that begin with `#`, a block of commands, `----`, the expected trace,
 * and a blank line between blocks. Playing one yields the same script with the trace that really
 * happened; a story passes when the two are equal.
 */
import { Command } from './command.js';
import { Story } from './story.js';
import { VERBS } from './verbs.js';

const RULE = '----';
/** The trace of commands that have nothing to tell. */
const SILENCE = 'ok';

type Part =
  | { readonly kind: 'prose'; readonly lines: readonly string[] }
  | { readonly kind: 'block'; readonly commands: readonly string[]; readonly line: number };

/** What a story is about: its first prose line. */
export function titleOf(script: string): string {
  const [first = ''] = script.split('\n');
  if (!first.startsWith('# ')) throw new Error('a script begins with a prose line, "# …"');
  return first.slice(2);
}

/** The script with the trace that really happened. Throws when a command or a rule is broken. */
export async function play(script: string): Promise<string> {
  const story = new Story();
  const told: string[] = [];
  for (const part of partsOf(script)) {
    if (part.kind === 'prose') {
      told.push(part.lines.join('\n'));
      continue;
    }
    for (const [at, text] of part.commands.entries()) {
      await perform(story, text, part.line + at);
    }
    const trace = story.trace.take();
    told.push([...part.commands, RULE, ...(trace.length > 0 ? trace : [SILENCE])].join('\n'));
  }
  return `${told.join('\n\n')}\n`;
}

async function perform(story: Story, text: string, line: number): Promise<void> {
  try {
    const command = new Command(text);
    const verb = VERBS[command.verb];
    if (!verb) throw new Error(`there is no verb ${command.verb}; README.md shows those there are`);
    command.assertOptions(verb.options ?? []);
    await verb.run(story, command);
    await story.settle();
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(`line ${line}: ${text}: ${why}`, { cause: error });
  }
  const [complaint] = story.complaints();
  if (complaint) {
    throw new Error(`line ${line}: ${text}: whatever a trace says, this may not be: ${complaint}`);
  }
}

function partsOf(script: string): Part[] {
  const parts: Part[] = [];
  let line = 1;
  for (const text of script.split(/\n\n+/)) {
    const lines = text.split('\n').filter((one) => one !== '');
    const rule = lines.indexOf(RULE);
    if (lines.length === 0) continue;
    if (lines.every((one) => one.startsWith('#'))) parts.push({ kind: 'prose', lines });
    else if (rule < 1) throw new Error(`line ${line}: commands without ${RULE} and a trace`);
    else {
      // Prose may stand right above its commands.
      const commands = lines.slice(0, rule);
      const start = commands.findIndex((one) => !one.startsWith('#'));
      if (start > 0) throw new Error(`line ${line}: put a blank line between prose and commands`);
      parts.push({ kind: 'block', commands, line });
    }
    line += text.split('\n').length + 1;
  }
  return parts;
}
