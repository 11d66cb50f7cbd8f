/**
 * A service as somebody else has it, in a folder outside of the repository: its own Nest, TypeORM, pg and
 * compiler from the registry, and our packages from tarballs. Thrown away when the test is over.
 */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { freePort, spawnService, type Service } from '@concordat/testing';

const ROOT = resolve(import.meta.dirname, '../../..');
const run = promisify(execFile);

export interface HostKind {
  readonly name: string;
  readonly isModule: boolean;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly tsconfig: object;
  /** By path; `package.json` and `tsconfig.json` are made from the rest. */
  readonly files: Readonly<Record<string, string>>;
  /** More of package.json, such as jest's key. */
  readonly manifest?: object;
}

export type Tarballs = ReadonlyMap<string, string>;

/** Packs every package as a release does, and looks at each. Rejects with what is wrong with them. */
export async function packTarballs(): Promise<{ tarballs: Tarballs; dispose(): void }> {
  const out = mkdtempSync(join(tmpdir(), 'concordat-packages-'));
  const dispose = () => rmSync(out, { recursive: true, force: true });
  try {
    const pack = join(ROOT, 'packaging', 'pack.mjs');
    await command(process.execPath, [pack, '--out', out], ROOT);
    const order = readFileSync(join(out, 'order.txt'), 'utf8').trim().split('\n');
    const named = order.map((line) => line.split(' ') as [string, string, string]);
    return { tarballs: new Map(named.map(([name, , file]) => [name, join(out, file)])), dispose };
  } catch (error) {
    dispose();
    throw error;
  }
}

export class Host {
  private service?: Service;
  private readonly port: number;

  private constructor(
    readonly folder: string,
    port: number,
  ) {
    this.port = port;
  }

  /** Writes the service and installs what it needs, our packages from these tarballs. */
  static async make(kind: HostKind, tarballs: Tarballs, ours: readonly string[]): Promise<Host> {
    const host = new Host(mkdtempSync(join(tmpdir(), `concordat-${kind.name}-`)), await freePort());
    const packed = ours.map((name) => [name, `file:${tarballs.get(name) ?? ''}`] as const);
    const manifest = {
      name: kind.name,
      version: '1.0.0',
      private: true,
      ...(kind.isModule ? { type: 'module' } : {}),
      scripts: { build: 'tsc -p tsconfig.json' },
      dependencies: { ...kind.dependencies, ...Object.fromEntries(packed) },
      ...kind.manifest,
    };
    try {
      await host.install(kind, manifest);
    } catch (error) {
      await host.dispose();
      throw error;
    }
    return host;
  }

  private async install(kind: HostKind, manifest: object): Promise<void> {
    this.write('package.json', JSON.stringify(manifest, null, 2));
    this.write('tsconfig.json', JSON.stringify(kind.tsconfig, null, 2));
    for (const [path, text] of Object.entries(kind.files)) this.write(path, text);
    const quietly = ['--no-audit', '--no-fund', '--no-package-lock', '--ignore-scripts'];
    await this.run('npm', ['install', '--prefer-offline', '--engine-strict=false', ...quietly]);
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  write(path: string, text: string): void {
    mkdirSync(dirname(join(this.folder, path)), { recursive: true });
    writeFileSync(join(this.folder, path), text);
  }

  /** Runs a command in its folder. Rejects with what it printed. */
  run(program: string, args: readonly string[], env: Record<string, string> = {}): Promise<string> {
    return command(program, args, this.folder, env);
  }

  /** Runs the program of a package that it has. */
  bin(name: string, ...args: string[]): Promise<string> {
    return this.run(join(this.folder, 'node_modules', '.bin', name), args);
  }

  /** Starts the built service; resolves once it says that it is ready. */
  async start(env: Readonly<Record<string, string>>): Promise<void> {
    this.service = await spawnService({
      name: 'host',
      args: [join(this.folder, 'dist', 'main.js')],
      env: { ...surroundings(), PORT: String(this.port), ...env },
      readyWhen: () => this.isReady(),
    });
  }

  async kill(): Promise<void> {
    this.service?.kill('SIGKILL');
    await this.service?.exited;
  }

  /** Ends the service in good order; its folder stays. */
  async stop(): Promise<void> {
    await this.service?.stop();
  }

  async dispose(): Promise<void> {
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  private async isReady(): Promise<boolean> {
    try {
      return (await fetch(`${this.url}/readyz`)).ok;
    } catch {
      return false;
    }
  }
}

/** What a user's shell has, without what `npm test` adds to it. */
export function surroundings(): NodeJS.ProcessEnv {
  const kept = /^(PATH|HOME|TMPDIR|npm_config_(registry|cache|cafile)|NODE_EXTRA_CA_CERTS)$/i;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => kept.test(name)));
}

async function command(
  program: string,
  args: readonly string[],
  cwd: string,
  env: Record<string, string> = {},
): Promise<string> {
  try {
    const options = { cwd, env: { ...surroundings(), ...env }, maxBuffer: 64 * 1024 * 1024 };
    const { stdout } = await run(program, [...args], options);
    return stdout;
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    const said = `${stdout}${stderr}`.trim();
    throw new Error(`${[program, ...args].join(' ')} in ${cwd} failed:\n${said}`, { cause: error });
  }
}
