/**
 * docker-compose.yml as Compose would read it, with secrets that deploy/secrets.mjs makes. Guards
 * "no default secret": every variable must be written so that Compose refuses to start without it.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parse } from 'yaml';

export const ROOT = resolve(import.meta.dirname, '../..');

export interface ComposeService {
  readonly image?: string;
  readonly build?: {
    readonly context: string;
    readonly dockerfile: string;
    readonly args: Readonly<Record<string, string>>;
  };
  readonly user?: string;
  readonly command?: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly ports: readonly string[];
  readonly volumes?: readonly string[];
  readonly healthcheck: { readonly test: readonly string[] };
  readonly stop_grace_period: string;
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
}

export interface ComposeFile {
  readonly services: Readonly<Record<string, ComposeService>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

/** What deploy/secrets.mjs makes: the variables of its file, and the keys it shows once. */
export interface Secrets {
  readonly variables: Readonly<Record<string, string>>;
  readonly clientKey: string;
  readonly operatorKey: string;
  /** What running it a second time says. */
  readonly refusal: string;
  /** The file's mode, in octal. */
  readonly text: string;
}

export function makeSecrets(): Secrets {
  const folder = mkdtempSync(join(tmpdir(), 'concordat-secrets-'));
  const file = join(folder, 'compose.env');
  const run = (): string =>
    execFileSync(process.execPath, [resolve(ROOT, 'deploy/secrets.mjs'), file], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  try {
    const said = run();
    const text = readFileSync(file, 'utf8');
    let refusal = '';
    try {
      run();
    } catch (error) {
      refusal = String((error as { stderr: unknown }).stderr);
    }
    const keyOf = (scope: string): string =>
      new RegExp(`\\(${scope}\\), shown once: (\\S+)`).exec(said)?.[1] ?? '';
    return {
      variables: Object.fromEntries(
        text
          .trim()
          .split('\n')
          .map((line) => line.split(/=(.*)/s).slice(0, 2) as [string, string]),
      ),
      clientKey: keyOf('client'),
      operatorKey: keyOf('operator'),
      refusal,
      text,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export const composeText = readFileSync(resolve(ROOT, 'docker-compose.yml'), 'utf8');

/** Every `${…}` of the file, as written. */
export function interpolations(): { readonly name: string; readonly rest: string }[] {
  return [...composeText.matchAll(/\$\{([A-Za-z_][A-Za-z0-9_]*)([^}]*)\}/g)].map((match) => ({
    name: match[1] as string,
    rest: match[2] as string,
  }));
}

/** The file with its variables filled in. */
export function readComposeFile(variables: Readonly<Record<string, string>>): ComposeFile {
  const filled = composeText.replace(
    /\$\{([A-Za-z_][A-Za-z0-9_]*)[^}]*\}/g,
    (_, name: string) => variables[name] ?? '',
  );
  return parse(filled, { merge: true }) as ComposeFile;
}
