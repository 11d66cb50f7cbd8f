// The manifest of a tarball, from the one in the repository: without what only the workspace knows (the
// condition that leads to sources, scripts, development dependencies), with both builds of a library.

import { join } from 'node:path';
import { isOurs, readJson, root } from './packages.mjs';

const KEPT = ['name', 'version', 'description', 'license', 'type', 'engines', 'bin'];
const NEEDS = [
  'dependencies',
  'optionalDependencies',
  'peerDependencies',
  'peerDependenciesMeta',
  'scarfSettings',
];

/**
 * The entries of a library: the subpath that leads to each (`./standalone`), the name of its files
 * (`standalone`), and the module behind it, inside `dist` and without its ending.
 */
export function entriesOf({ name, exports = {} }) {
  return Object.entries(exports).map(([subpath, { default: main }]) => {
    const [, module] = /^\.\/dist\/(.+)\.js$/.exec(main ?? '') ?? [];
    if (!module) throw new Error(`${name}: the entry ${subpath} has no "default" in ./dist`);
    return { subpath, name: subpath.replace(/^\.\/?/, '').replaceAll('/', '-') || 'index', module };
  });
}

export function publishedManifest({ manifest, isLibrary }, { version, repository, folder }) {
  const kept = pick(manifest, KEPT);
  return {
    ...kept,
    version,
    ...(repository ? { repository: { type: 'git', url: repository, directory: folder } } : {}),
    ...(isLibrary ? bothBuilds(manifest) : { exports: { './package.json': './package.json' } }),
    files: isLibrary
      ? ['dist']
      : ['bin', 'dist', 'admin', 'templates'].filter((one) => oneOf(manifest, one)),
    ...inLockStep(isLibrary ? pick(manifest, NEEDS) : withCarried(manifest), version),
    publishConfig: { access: 'public' },
  };
}

function bothBuilds(manifest) {
  const entries = entriesOf(manifest);
  const main = entries.find(({ subpath }) => subpath === '.');
  if (!main) throw new Error(`${manifest.name} has no entry "."`);
  return {
    // For resolvers that do not read `exports`.
    main: `./dist/cjs/entries/${main.name}.js`,
    types: `./dist/cjs/${main.module}.d.ts`,
    ...typesVersions(entries.filter((entry) => entry !== main)),
    exports: {
      ...Object.fromEntries(entries.map((entry) => [entry.subpath, conditionsOf(entry)])),
      './package.json': './package.json',
    },
    sideEffects: false,
  };
}

function typesVersions(entries) {
  if (entries.length === 0) return {};
  const paths = entries.map(({ subpath, module }) => [
    subpath.slice('./'.length),
    [`./dist/cjs/${module}.d.ts`],
  ]);
  return { typesVersions: { '*': Object.fromEntries(paths) } };
}

function conditionsOf({ name, module }) {
  return {
    import: { types: `./dist/${module}.d.ts`, default: `./dist/entries/${name}.js` },
    require: { types: `./dist/cjs/${module}.d.ts`, default: `./dist/cjs/entries/${name}.js` },
  };
}

/**
 * What a program carries inside: the library whose frameworks are its user's. Installed beside a service of
 * another Nest, npm would give it that service's, and the program has its own.
 */
export function carriedBy({ dependencies = {} }) {
  return '@nestjs/core' in dependencies && CARRIED.name in dependencies ? CARRIED : undefined;
}

const CARRIED = { name: '@concordat/participant', folder: 'libs/participant' };

function withCarried(manifest) {
  const needs = pick(manifest, NEEDS);
  const carried = carriedBy(manifest);
  if (!carried) return needs;
  const { dependencies } = readJson(join(root, carried.folder, 'package.json'));
  const inside = (name) => name === carried.name || name.startsWith('@types/');
  const all = Object.entries({ ...dependencies, ...needs.dependencies });
  return { ...needs, dependencies: Object.fromEntries(all.filter(([name]) => !inside(name))) };
}

/** What is needed of ours is of this very version, also where it is the user's to bring. */
function inLockStep(needs, version) {
  const locked = (ranges = {}) =>
    Object.fromEntries(
      Object.entries(ranges).map(([name, range]) => [name, isOurs(name) ? version : range]),
    );
  const { peerDependencies } = needs;
  return {
    ...needs,
    dependencies: locked(needs.dependencies),
    ...(peerDependencies ? { peerDependencies: locked(peerDependencies) } : {}),
  };
}

function oneOf({ name, files }, one) {
  return files.includes(one) || (one === 'admin' && name === '@concordat/coordinator');
}

function pick(object, names) {
  return Object.fromEntries(names.filter((one) => one in object).map((one) => [one, object[one]]));
}
