// The packages that are published, and what each of them is to npm. The manifests in libs and apps say
// what a package needs; this says how it is delivered.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../', import.meta.url));

/** Loaded by services: each as ES modules and as CommonJS. */
export const LIBRARIES = [
  'protocol',
  'engine',
  'channel',
  'decision-log',
  'participant',
  'client',
  'testing',
].map((name) => `libs/${name}`);

/** Run as processes of their own: ES modules only, nothing of them is imported. */
export const PROGRAMS = ['coordinator', 'ledger', 'inventory', 'cli'].map((name) => `apps/${name}`);

/** Every package with its folder and manifest, those without dependencies of ours first. */
export function packages() {
  return [...LIBRARIES, ...PROGRAMS].map((folder) => ({
    folder,
    isLibrary: LIBRARIES.includes(folder),
    manifest: readJson(join(root, folder, 'package.json')),
  }));
}

/** The one version of all packages. Throws when they differ, or depend on another one. */
export function lockStepVersion() {
  const { version } = readJson(join(root, 'package.json'));
  for (const { folder, manifest } of packages()) {
    const own = Object.entries(manifest.dependencies ?? {}).filter(([name]) => isOurs(name));
    const others = [['version', manifest.version], ...own].filter(([, one]) => one !== version);
    if (others.length === 0) continue;
    const found = others.map(([name, one]) => `${name} ${one}`).join(', ');
    throw new Error(`${folder}/package.json has ${found}; all packages are of version ${version}`);
  }
  return version;
}

export function isOurs(name) {
  return name.startsWith('@concordat/');
}

export function readJson(path) {
  return JSON.parse(readFileSync(path, 'utf8'));
}
