// The packages that are published, and what each of them is to npm. The manifests in libs and apps say
// what a package needs; this says how it is delivered.

import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../', import.meta.url));

/**
 * Every package with its folder and manifest, what a package depends on before it. Those of libs are loaded
 * by services, as ES modules and as CommonJS; those of apps are run as processes, and nothing of them is
 * imported. Private ones stay here.
 */
export function packages() {
  const all = ['libs', 'apps'].flatMap((kind) =>
    readdirSync(join(root, kind))
      .map((name) => `${kind}/${name}`)
      .filter((folder) => existsSync(join(root, folder, 'package.json')))
      .map((folder) => ({
        folder,
        isLibrary: kind === 'libs',
        manifest: readJson(join(root, folder, 'package.json')),
      }))
      .filter(({ manifest }) => !manifest.private),
  );
  const byName = new Map(all.map((one) => [one.manifest.name, one]));
  const ordered = new Set();
  const add = (one) => {
    for (const name of Object.keys(needsOf(one.manifest)))
      if (byName.has(name)) add(byName.get(name));
    ordered.add(one);
  };
  all.forEach(add);
  return [...ordered];
}

function needsOf({ dependencies, peerDependencies }) {
  return { ...dependencies, ...peerDependencies };
}

/** The one version of all packages. Throws when they differ, or depend on another one. */
export function lockStepVersion() {
  const { version } = readJson(join(root, 'package.json'));
  for (const { folder, manifest } of packages()) {
    const own = Object.entries(needsOf(manifest)).filter(([name]) => isOurs(name));
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
