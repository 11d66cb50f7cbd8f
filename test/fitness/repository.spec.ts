/**
 * The repository checks itself: its rules that neither compiler nor linter sees. Each
 * message says what to do instead.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { BRANCH_TRANSITIONS, TRANSACTION_TRANSITIONS } from '@concordat/protocol';
import { diagramOf } from './machine-diagrams.js';

const ROOT = resolve(import.meta.dirname, '../..');

/** What git tracks or would: no build output, no dependencies. */
const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: ROOT,
  encoding: 'utf8',
})
  .split('\n')
  .filter((file) => file !== '' && existsSync(join(ROOT, file)));

const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8');
const isSource = (file: string): boolean =>
  // The templates of a new service are sources of its own.
  /^(libs|apps)\/(?!create\/templates\/).*\/src\/.*\.ts$/.test(file) &&
  !/spec(-support)?\.ts$/.test(file);
const sources = files.filter(isSource);

/** Source without comments and strings of prose: rules are about code. */
const code = (file: string): string =>
  read(file)
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/(^|\s)\/\/.*$/gm, '$1');

function offenders(candidates: readonly string[], pattern: RegExp): string[] {
  return candidates.filter((file) => pattern.test(code(file)));
}

describe('The repository', () => {
  it('has no folder or file whose name says nothing: name it by what it is about', () => {
    const vague = /(^|\/)(common|shared|utils?|helpers?|core|misc)(\/|\.[a-z]+$)/;
    expect(files.filter((file) => vague.test(file))).toEqual([]);
  });

  it('draws every folder of the coordinator, once: `npm run lint` takes the rule from the drawing', () => {
    const [, drawing = ''] =
      /```\napps\/coordinator\/src\n([\s\S]*?)```/.exec(read('ARCHITECTURE.md')) ?? [];
    const drawn = drawing
      .split('\n')
      .flatMap((line) => [...line.slice(0, 40).matchAll(/(\w+)\//g)].map(([, name]) => name));
    const folders = sources.flatMap(
      (file) => /^apps\/coordinator\/src\/([^/]+)\//.exec(file)?.[1] ?? [],
    );
    expect([...drawn].sort()).toEqual([...new Set(folders)].sort());
  });

  it('draws every package in ARCHITECTURE.md', () => {
    const [, drawing = ''] = /(LAYER 4[\s\S]*?)```/.exec(read('ARCHITECTURE.md')) ?? [];
    const packages = files.flatMap(
      (file) => /^((?:libs|apps)\/[^/]+)\/package\.json$/.exec(file)?.[1] ?? [],
    );
    const missing = packages.filter(
      (one) => !drawing.includes(one) && !/^libs\/participant-/.test(one),
    );
    expect(missing).toEqual([]);
  });

  it('reads the environment in apps/*/…config.ts only: pass what you need as a parameter', () => {
    const elsewhere = sources.filter((file) => !/^apps\/[^/]+\/src\/.*config\.ts$/.test(file));
    // Code that starts services passes its own environment on to them, or a part of it.
    const passing = ['apps/cli/src/dev/services.ts', 'libs/testing/src/stack/concordat-stack.ts'];
    expect(offenders(elsewhere, /process\.env/).filter((file) => !passing.includes(file))).toEqual(
      [],
    );
  });

  it('keeps time and chance out of protocol and engine: take them from Clock and Entropy', () => {
    const pure = sources.filter((file) => /^libs\/(protocol|engine)\//.test(file));
    const impure = /\bDate\b|Math\.random|setTimeout|setInterval|setImmediate|randomUUID|process\./;
    expect(offenders(pure, impure)).toEqual([]);
  });

  it('tells and reads lengths of time in libs/words alone: durationText, parseDurationMs', () => {
    const others = files.filter(
      (file) => isSource(file.replace(/x$/, '')) && !/^libs\/words\//.test(file),
    );
    const telling = /\$\{[^}]*\} (ms|s|min|h)\b|\.toFixed\(\d\)\} ?m?s\b/;
    // A setting of Postgres has its own forms.
    const reading = /\((?:ms\|)?s\|m|\bms\|s\|/;
    const settings = 'libs/participant/src/postgres/doctor.ts';
    expect(offenders(others, telling)).toEqual([]);
    expect(offenders(others, reading).filter((file) => file !== settings)).toEqual([]);
    const configs = others.filter((file) => /config\.ts$/.test(file));
    expect(offenders(configs, /_MS(_\w+)?: (?!duration(?:Setting)?\()/)).toEqual([]);
  });

  it('keeps the clock and all questions out of what is told: they are arguments of a diagnosis', () => {
    const told = sources.filter((file) => /^libs\/(words|api|diagnosis)\//.test(file));
    const asking =
      /\bDate\.now\b|new Date\(\)|Math\.random|setTimeout|setInterval|\basync\b|process\./;
    expect(offenders(told, asking)).toEqual([]);
  });

  it('writes SQL only in files that say so: *.sql.ts, *.reader.ts, migrations', () => {
    const named = /\.sql\.ts$|\.reader\.ts$|\/migrations\//;
    const statement =
      /['"`]\s*(SELECT\s+[\w*(]|INSERT INTO|UPDATE \w+\s+SET|DELETE FROM|CREATE TABLE|ALTER TABLE \w|PREPARE TRANSACTION '|COMMIT PREPARED '|ROLLBACK PREPARED ')/;
    const candidates = sources.filter((file) => !named.test(file));
    expect(offenders(candidates, statement)).toEqual([]);
  });

  it('knows HTTP status codes only at the REST edge: throw a Refusal below it', () => {
    const below = sources.filter((file) =>
      /^libs\/(protocol|engine|decision-log|channel)\//.test(file),
    );
    expect(offenders(below, /HttpStatus|statusCode|\bhttpStatus\b/)).toEqual([]);
  });

  it('opens every source file with what it is and which rule it guards', () => {
    const mute = sources.filter((file) => !/^(#!.*\n)?\s*(\/\*\*|\/\/)/.test(read(file)));
    expect(mute).toEqual([]);
  });

  it('leaves nothing for later and silences no check', () => {
    // What another program generates is not ours to write.
    const all = files.filter(
      (file) => /\.(ts|tsx|mjs)$/.test(file) && !/fitness\/|\/generated\//.test(file),
    );
    const later =
      /\b(TODO|FIXME|XXX|HACK)\b|eslint-disable|@ts-ignore|@ts-expect-error|@ts-nocheck/;
    expect(all.filter((file) => later.test(read(file)))).toEqual([]);
    // `? it : it.skip` says which machine cannot run it; anything else skips everywhere.
    const alone = /(?<!\? it : )\b(it|test|describe)\.(only|skip|todo)\b|\b[xf](it|describe)\(/;
    expect(all.filter((file) => alone.test(read(file)))).toEqual([]);
  });

  it('makes ids and dates when the test runs, where the product compares them with its clock', () => {
    // Code that starts a server or the product compares with the current time; a pure test brings its own.
    const servers =
      /from '(@concordat\/testing|@nats-io\/[^']+|pg|[^']*(stage|-stage|product)\.js)'/;
    const id = /\b[0-9a-hjkmnp-tv-z]{26}-[0-9a-z]{8}\b/i;
    const instant = /['"`]20\d\d-[01]\d-|Date\.UTC\(|\b1_?[5-9]\d\d_?\d{3}_?\d{3}_?\d{3}\b/;
    const migrations = /\b[A-Z]\w+?\d{13}\b|\/\d{13}-/g;
    const dated = files
      .filter((file) => /^test\/|spec(-support)?\.ts$|\.nightly\.ts$/.test(file))
      .filter((file) => /\.m?ts$|\.mjs$/.test(file) && servers.test(read(file)))
      .filter((file) => {
        const text = code(file).replace(migrations, '');
        return id.test(text) || instant.test(text);
      });
    expect(dated).toEqual([]);
  });

  it('disposes of every server that a suite starts: one that is only stopped leaves its data', () => {
    const starting = files.filter(
      (file) =>
        /\.ts$/.test(file) && !isSource(file) && /await start(Postgres|Nats)\(/.test(code(file)),
    );
    expect(starting.filter((file) => !/\bdispose\b/.test(code(file)))).toEqual([]);
  });

  it('names no path of one machine and no registry host', () => {
    const text = files.filter((file) => /\.(ts|mjs|json|md|yml|yaml|sh)$|run$/.test(file));
    const machine = /(^|[^A-Za-z.:/])\/(work|root|home\/[a-z])\/|registry\.npmjs\.org/m;
    expect(text.filter((file) => !file.includes('fitness/') && machine.test(read(file)))).toEqual(
      [],
    );
  });

  it('lists every workspace in the root tsconfig and in nest-cli.json', () => {
    const workspaces = files
      .filter((file) => /^(libs|apps)\/[^/]+\/package\.json$/.test(file))
      .filter((file) => existsSync(join(ROOT, dirname(file), 'src')))
      .map(dirname)
      .sort();
    const { references } = JSON.parse(read('tsconfig.json')) as { references: { path: string }[] };
    expect(references.map((one) => one.path).sort()).toEqual(workspaces);
    const { projects } = JSON.parse(read('nest-cli.json')) as {
      projects: Record<string, { root: string }>;
    };
    expect(
      Object.values(projects)
        .map((one) => one.root)
        .sort(),
    ).toEqual(workspaces);
  });

  it('has each package reference what it imports, and nothing else of ours', () => {
    for (const file of files.filter((one) => /^(libs|apps)\/[^/]+\/tsconfig\.json$/.test(one))) {
      const folder = dirname(file);
      const imported = new Set<string>();
      for (const source of sources.filter((one) => one.startsWith(`${folder}/`))) {
        for (const [, name] of code(source).matchAll(/from '@concordat\/([a-z-]+)'/g)) {
          imported.add(
            `../../libs/${name}`.replace(
              '../../libs',
              folder.startsWith('libs') ? '..' : '../../libs',
            ),
          );
        }
      }
      const { references } = JSON.parse(read(file)) as { references: { path: string }[] };
      const listed = new Set(references.map((one) => one.path));
      expect([folder, [...imported].filter((one) => !listed.has(one))]).toEqual([folder, []]);
    }
  });

  it('has no broken link in its pages', () => {
    const broken: string[] = [];
    for (const page of files.filter((file) => file.endsWith('.md'))) {
      for (const [, target] of read(page).matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)) {
        if (!target || /^[a-z]+:/.test(target)) continue;
        if (!existsSync(resolve(ROOT, dirname(page), target))) broken.push(`${page} → ${target}`);
      }
    }
    expect(broken).toEqual([]);
  });

  it('draws both machines in docs/protocol.md as the code asserts them', () => {
    const page = read('docs/protocol.md');
    const diagrams = [TRANSACTION_TRANSITIONS, BRANCH_TRANSITIONS].map(diagramOf);
    const drawn = page.replace(/```mermaid\n[\s\S]*?```/g, () => {
      return `\`\`\`mermaid\n${diagrams.shift() ?? ''}\`\`\``;
    });
    if (process.env['PROTOCOL_REWRITE'] === '1') {
      writeFileSync(join(ROOT, 'docs/protocol.md'), drawn);
    } else expect(page).toBe(drawn);
    expect(diagrams).toEqual([]);
  });
});
