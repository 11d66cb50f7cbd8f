// What publint and "are the types wrong" say of the tarballs, and what npm would not notice. One sentence
// for each fault; none when all is well.

import { readFileSync, readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { readJson } from './packages.mjs';

/** Looks at packed tarballs, which lie beside the folder that they were packed from. */
export async function checkTarballs(tarballs) {
  const faults = await Promise.all(
    [...tarballs].map(async ([name, path]) => {
      const folder = join(dirname(path), 'unpacked', name.replace('@concordat/', ''));
      const manifest = readJson(join(folder, 'package.json'));
      return [
        ...filesOf(folder, manifest),
        ...(await linted(folder, manifest)),
        ...(manifest.types ? await typesOf(path) : []),
      ].map((fault) => `${basename(path)}: ${fault}`);
    }),
  );
  return faults.flat();
}

function filesOf(folder, { scripts, devDependencies }) {
  const files = readdirSync(folder, { recursive: true }).map(String);
  // Templates are the sources of somebody else.
  const delivered = files.filter((path) => !path.startsWith('templates'));
  const stray = delivered.filter((path) =>
    /\.(map|tsbuildinfo|tsx?)$|\.spec\./.test(notTypes(path)),
  );
  const dangling = files
    .filter((path) => path.endsWith('.js'))
    .filter((path) => readFileSync(join(folder, path), 'utf8').includes('sourceMappingURL'));
  return [
    ...['README.md', 'LICENSE'].filter((one) => !files.includes(one)).map((one) => `no ${one}`),
    ...stray.map((path) => `${path} does not belong into a package`),
    ...dangling.map((path) => `${path} names a source map that is not there`),
    ...(scripts || devDependencies ? ['the manifest has what only the workspace needs'] : []),
  ];
}

function notTypes(path) {
  return path.replace(/\.d\.ts$/, '');
}

async function linted(pkgDir, manifest) {
  const { messages } = await publint({ pkgDir, pack: false, strict: true });
  // Only a release knows where it is made from.
  const ignored = (code) => code === 'HAS_REPOSITORY' || code === 'LOCAL_DEPENDENCY';
  return messages
    .filter(({ code }) => !ignored(code))
    .map((message) => `publint: ${formatMessage(message, manifest) ?? message.code}`);
}

async function typesOf(path) {
  const found = await checkPackage(createPackageFromTarballData(readFileSync(path)));
  if (!found.types) return ['attw: no types'];
  return found.problems.map((problem) => `attw: ${JSON.stringify(problem)}`);
}
