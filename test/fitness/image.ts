/**
 * What `docker build` makes of apps/Dockerfile, without Docker: the stages of the file in folders of their own, its
 * commands run with those folders in place of its absolute paths. It knows the instructions that the file uses, and
 * refuses others. Base images, users and mounts of a cache are left out.
 */
import { execFile, execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, isAbsolute, join, relative, resolve } from 'node:path';
import { promisify } from 'node:util';
import { ROOT } from './compose-file.js';

const run = promisify(execFile);

/** As .dockerignore has it: what goes into a build, and what of it does not. */
const CONTEXT = ['package.json', 'package-lock.json', 'tsconfig.json', '.npmrc', 'apps', 'libs'];
const LEFT_OUT = /(^|\/)(node_modules|dist)(\/|$)|\.spec(-support)?\.ts$/;
/** The folders that the file names by absolute paths; nothing else of the machine is touched. */
const ABSOLUTE = /(?<=^|[\s"'])\/(src|out|view|app)(?=[/\s"']|$)/gm;

interface Stage {
  readonly root: string;
  workdir: string;
}

export class Image {
  private constructor(
    private readonly folder: string,
    /** What its entry point starts. */
    readonly program: string,
  ) {}

  /** Runs every stage of the file for one service. Rejects with what a command of it printed. */
  static async build(app: string): Promise<Image> {
    const folder = mkdtempSync(join(tmpdir(), `image-${app}-`));
    const stages = new Map<string, Stage>();
    let stage: Stage = { root: join(folder, 'none'), workdir: '/' };
    try {
      for (const { name, rest } of instructions()) {
        if (name === 'FROM') stage = beginStage(folder, stages, rest);
        else await perform(stage, stages, app, name, rest);
      }
    } catch (error) {
      rmSync(folder, { recursive: true, force: true });
      throw error;
    }
    return new Image(folder, join(stage.root, stage.workdir, 'main.js'));
  }

  dispose(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function instructions(): { name: string; rest: string }[] {
  return readFileSync(resolve(ROOT, 'apps/Dockerfile'), 'utf8')
    .replace(/^#.*\n/gm, '')
    .replace(/\\\n\s*/g, ' ')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const [, name = '', rest = ''] = /^(\w+)\s+(.*)$/.exec(line) ?? [];
      return { name, rest };
    });
}

/** Of an earlier stage, it begins with a copy of that. */
function beginStage(folder: string, stages: Map<string, Stage>, rest: string): Stage {
  const [from = '', , as = `stage-${stages.size}`] = rest.split(' ');
  const root = join(folder, as);
  const earlier = stages.get(from);
  mkdirSync(root, { recursive: true });
  // By links: no command of the file writes into a file of an earlier stage.
  if (earlier) execFileSync('cp', ['-al', `${earlier.root}/.`, root]);
  const stage = { root, workdir: earlier?.workdir ?? '/' };
  stages.set(as, stage);
  return stage;
}

async function perform(
  stage: Stage,
  stages: ReadonlyMap<string, Stage>,
  app: string,
  name: string,
  rest: string,
): Promise<void> {
  const here = (path: string): string =>
    isAbsolute(path) ? join(stage.root, path) : join(stage.root, stage.workdir, path);
  if (name === 'ARG' || name === 'ENV' || name === 'USER' || name === 'ENTRYPOINT') return;
  if (name === 'WORKDIR') {
    stage.workdir = rest;
    mkdirSync(here('.'), { recursive: true });
  } else if (name === 'COPY') {
    const [, from, source = '', target = ''] = /^(?:--from=(\w+) )?(\S+) (\S+)$/.exec(rest) ?? [];
    const earlier = from === undefined ? undefined : stages.get(from);
    if (earlier) {
      cpSync(join(earlier.root, source), here(target), { recursive: true, verbatimSymlinks: true });
    } else copyContext(here(target));
  } else if (name === 'RUN') {
    const command = rest
      .replace(/^--mount=\S+\s+/, '')
      .replace(ABSOLUTE, (path) => join(stage.root, path));
    const env = { PATH: process.env['PATH'], HOME: process.env['HOME'], APP: app };
    await run('/bin/sh', ['-c', command], { cwd: here('.'), env, maxBuffer: 64e6 }).catch(
      (error: Error & { stdout?: string; stderr?: string }) => {
        throw new Error(`RUN ${rest}\n${error.stdout ?? ''}${error.stderr ?? ''}`, {
          cause: error,
        });
      },
    );
  } else throw new Error(`apps/Dockerfile has ${name}, which test/fitness/image.ts does not know`);
}

function copyContext(target: string): void {
  for (const name of CONTEXT) {
    const source = join(ROOT, name);
    const filter = (path: string): boolean => !LEFT_OUT.test(relative(ROOT, path));
    mkdirSync(dirname(join(target, name)), { recursive: true });
    cpSync(source, join(target, name), { recursive: true, filter });
  }
}
