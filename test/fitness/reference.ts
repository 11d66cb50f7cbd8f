/**
 * The reference pages of docs/, made from the code: routes, problems, metrics, the command line and the faults. Guards
 * "reference is generated": what a page says is read from where the product has it.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { faultsPage } from '../cases/page.js';
import { PROBLEMS } from '../../apps/coordinator/src/problems/problem.js';

const ROOT = resolve(import.meta.dirname, '../..');
const CLI = resolve(ROOT, 'apps/cli/dist/main.js');
const MADE = 'Made from the code by `npm run docs -- --reference`; do not edit.';

const read = (path: string): string => readFileSync(resolve(ROOT, path), 'utf8');
const cell = (text: string): string => text.replace(/\s+/g, ' ').replaceAll('|', '\\|').trim();

function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(cell).join(' | ')} |`;
  return [line(heads), line(heads.map(() => '---')), ...rows.map(line)].join('\n');
}

interface Route {
  readonly summary?: string;
  readonly tags?: readonly string[];
  readonly responses: Readonly<Record<string, unknown>>;
  readonly security?: readonly unknown[];
}

/** Every route of the OpenAPI document that is committed beside the coordinator. */
function routes(): string {
  const { paths } = JSON.parse(read('apps/coordinator/openapi.json')) as {
    paths: Record<string, Record<string, Route>>;
  };
  const rows = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { summary = '', responses, security }]) => [
      `\`${method.toUpperCase()} ${path}\``,
      summary,
      Object.keys(responses).join(', '),
      security === undefined ? 'none' : 'a key',
    ]),
  );
  const text = `Every route of a coordinator. Fields, bounds and examples are at \`/docs\` of a running one, and in
\`apps/coordinator/openapi.json\`; [the REST guide](../rest-guide.md) shows the five that most clients need. \`4XX\` is a
[problem](problems.md).`;
  return page('Routes', text, table(['Route', 'What it does', 'Answers', 'Needs'], rows));
}

function problems(): string {
  const rows = Object.entries(PROBLEMS).map(([code, [status, title, meaning]]) => [
    `\`${code}\``,
    String(status),
    title,
    meaning,
  ]);
  const text = `Every error is a problem (RFC 9457) with one of these codes. Codes are stable, texts are for people; \`retryable\`
says whether the same request may succeed as it is. A running coordinator has this list at \`/problems\`.`;
  return page('Problems', text, table(['Code', 'Status', 'Title', 'Meaning'], rows));
}

/** What the coordinator registers, as it is written there: kind, name, help and label. */
function metrics(): string {
  const source = read('apps/coordinator/src/metrics/metrics.ts');
  const called = source.matchAll(/this\.(counter|gauge)\(\s*'([a-z_]+)',\s*(['"])([\s\S]*?)\3,/g);
  const rows = [...called].map(([, kind = '', name = '', , help = '']) => [
    `\`concordat_${name}\``,
    kind,
    help,
  ]);
  const calls = source.match(/this\.(?:counter|gauge)\(/g)?.length;
  if (calls !== rows.length) throw new Error(`${rows.length} of ${calls} metrics are understood`);
  const made = source.matchAll(
    /new (Histogram|Counter|Gauge)\(\{\s*name: '(concordat_[a-z_]+)',\s*help: '([^']+)'/g,
  );
  for (const [, kind = '', name = '', help = ''] of made) {
    rows.push([`\`${name}\``, kind.toLowerCase(), help]);
  }
  const text = `What \`GET /metrics\` of a coordinator has of Concordat's own; Node's own are beside them. What is worth an alert is
in [monitoring](../monitor.md#metrics-and-alerts).`;
  return page('Metrics', text, table(['Metric', 'Kind', 'What it counts'], rows.sort()));
}

/** The help of the built command line, of each command. */
function commandLine(): string {
  const help = (...command: string[]): string =>
    execFileSync(process.execPath, [CLI, ...command, '--help'], {
      encoding: 'utf8',
      env: { ...process.env, NO_COLOR: '1', COLUMNS: '100' },
    }).trimEnd();
  const all = help();
  const [, list = ''] = all.split('Commands:\n');
  const commands = [...list.matchAll(/^ {2}([a-z][a-z-]*)/gm)].map(([, name = '']) => name);
  const blocks = commands
    .filter((name) => name !== 'help')
    .map((name) => `## ${name}\n\n\`\`\`text\n${help(name)}\n\`\`\``);
  const text = `\`npx concordat\` in a checkout, \`npx @concordat/cli\` elsewhere.\n\n\`\`\`text\n${all}\n\`\`\``;
  return page('Command line', text, blocks.join('\n\n'));
}

function page(title: string, text: string, body: string): string {
  return `# ${title}\n\n${text}\n\n${MADE}\n\n${body}\n`;
}

/** Each page by its path in the repository. */
export const REFERENCE: Readonly<Record<string, () => string>> = {
  'docs/reference/routes.md': routes,
  'docs/reference/problems.md': problems,
  'docs/reference/metrics.md': metrics,
  'docs/reference/command-line.md': commandLine,
  'docs/faults.md': () => faultsPage(MADE),
};
