// The manifest of a tarball, from the one in the repository: without what only the workspace knows (the
// condition that leads to sources, scripts, development dependencies), with both builds of a library.

import { isOurs } from './packages.mjs';

const KEPT = ['name', 'version', 'description', 'license', 'type', 'engines', 'bin'];
const NEEDS = [
  'dependencies',
  'optionalDependencies',
  'peerDependencies',
  'peerDependenciesMeta',
  'scarfSettings',
];

/** Where the files of one entry of a library lie: `index` for `.`, `standalone` for `./standalone`. */
export function entriesOf({ exports = {} }) {
  return Object.keys(exports).map((subpath) => ({
    subpath,
    name: subpath === '.' ? 'index' : subpath.slice('./'.length),
  }));
}

export function publishedManifest({ manifest, isLibrary }, { version, repository, folder }) {
  const kept = pick(manifest, KEPT);
  return {
    ...kept,
    version,
    ...(repository ? { repository: { type: 'git', url: repository, directory: folder } } : {}),
    ...(isLibrary ? bothBuilds(manifest) : { exports: { './package.json': './package.json' } }),
    files: isLibrary ? ['dist'] : ['bin', 'dist', 'admin'].filter((one) => oneOf(manifest, one)),
    ...inLockStep(pick(manifest, NEEDS), version),
    publishConfig: { access: 'public' },
  };
}

function bothBuilds(manifest) {
  const entries = entriesOf(manifest);
  const subpaths = entries.filter(({ name }) => name !== 'index');
  return {
    // For resolvers that do not read `exports`.
    main: './dist/cjs/entries/index.js',
    types: './dist/cjs/index.d.ts',
    ...(subpaths.length > 0
      ? {
          typesVersions: {
            '*': Object.fromEntries(
              subpaths.map(({ name }) => [name, [`./dist/cjs/${name}.d.ts`]]),
            ),
          },
        }
      : {}),
    exports: {
      ...Object.fromEntries(
        entries.map(({ subpath, name }) => [
          subpath,
          {
            import: { types: `./dist/${name}.d.ts`, default: `./dist/entries/${name}.js` },
            require: { types: `./dist/cjs/${name}.d.ts`, default: `./dist/cjs/entries/${name}.js` },
          },
        ]),
      ),
      './package.json': './package.json',
    },
    sideEffects: false,
  };
}

function inLockStep(needs, version) {
  const { dependencies = {} } = needs;
  return {
    ...needs,
    dependencies: Object.fromEntries(
      Object.entries(dependencies).map(([name, range]) => [name, isOurs(name) ? version : range]),
    ),
  };
}

function oneOf({ name, files }, one) {
  return files.includes(one) || (one === 'admin' && name === '@concordat/coordinator');
}

function pick(object, names) {
  return Object.fromEntries(names.filter((one) => one in object).map((one) => [one, object[one]]));
}
