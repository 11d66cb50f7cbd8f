/** What a verb of a story is: the options it knows, and what it does. */
import type { Command } from './command.js';
import type { Story } from './story.js';

export interface Verb {
  readonly options?: readonly string[];
  run(story: Story, command: Command): void | Promise<void>;
}
