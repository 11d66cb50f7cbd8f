// A library as ES modules and as CommonJS. The second is made from the first, file by file: both have the
// same code and the same types. Entries keep them apart: whichever build of a package a process loads
// first is the one that it uses, through `import` and `require` alike, so that a class, a symbol or a
// registry exists once (docs/adr, "Two builds, one of them used").

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import ts from 'typescript';
import { entriesOf } from './manifest.mjs';

const SOURCE_MAP = /\n?\/\/# sourceMappingURL=\S+\s*$/;

/** Compiled files of a package, without maps, build notes and tests. */
export function compiledFiles(dist) {
  return readdirSync(dist, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(dist, join(entry.parentPath, entry.name)))
    .filter((path) => /\.(js|d\.ts)$/.test(path) && !/\.(spec|nightly)(-support)?\./.test(path));
}

/** Writes the compiled files, which point at no map any more. */
export function writeModules(dist, target) {
  for (const path of compiledFiles(dist)) {
    write(join(target, path), readFileSync(join(dist, path), 'utf8').replace(SOURCE_MAP, '\n'));
  }
}

/** Puts the modules of a library into a program, and lets the program import them from there. */
export function carry(name, libraryDist, target) {
  const own = compiledFiles(target).filter((path) => path.endsWith('.js'));
  const inside = join(target, 'carried', name.replace('@concordat/', ''));
  for (const path of own) {
    const file = join(target, path);
    const way = relative(dirname(file), join(inside, 'index.js')).replaceAll('\\', '/');
    const from = way.startsWith('.') ? way : `./${way}`;
    write(file, readFileSync(file, 'utf8').replaceAll(`from '${name}'`, `from '${from}'`));
  }
  writeModules(libraryDist, inside);
}

/** Writes the same as CommonJS, beside a manifest that says so. */
export function writeCommonJs(dist, target) {
  for (const path of compiledFiles(dist)) {
    const text = readFileSync(join(dist, path), 'utf8').replace(SOURCE_MAP, '\n');
    write(join(target, path), path.endsWith('.js') ? commonJsOf(text, path) : text);
  }
  write(join(target, 'package.json'), '{ "type": "commonjs" }\n');
}

function commonJsOf(text, fileName) {
  if (/\bimport\.meta\b/.test(text)) {
    throw new Error(
      `${fileName} uses import.meta, which CommonJS does not have: pass what it needs`,
    );
  }
  return ts.transpileModule(text, {
    fileName,
    compilerOptions: {
      module: ts.ModuleKind.CommonJS,
      target: ts.ScriptTarget.ES2022,
      esModuleInterop: true,
    },
  }).outputText;
}

/** Writes the entries of both builds. They choose the build, and are all that `exports` leads to. */
export async function writeEntries({ manifest }, dist, target) {
  const key = JSON.stringify(`${manifest.name}@${manifest.version}`);
  for (const { name, module } of entriesOf(manifest)) {
    const names = Object.keys(await import(pathToFileURL(join(dist, `${module}.js`)).href));
    write(join(target, 'entries', `${name}.js`), moduleEntry(module, names.sort(), key));
    write(join(target, 'cjs', 'entries', `${name}.js`), commonJsEntry(module, key));
  }
}

const CHOICE = `const builds = (globalThis[Symbol.for('concordat.builds.v1')] ??= {});`;

function moduleEntry(module, names, key) {
  return [
    `import { createRequire } from 'node:module';`,
    `import * as own from '../${module}.js';`,
    CHOICE,
    `const isOwn = (builds[${key}] ??= 'module') === 'module';`,
    `const chosen = isOwn ? own : createRequire(import.meta.url)('../cjs/${module}.js');`,
    `export const {\n${names.map((one) => `  ${one},\n`).join('')}} = chosen;`,
    '',
  ].join('\n');
}

function commonJsEntry(module, key) {
  return [
    `'use strict';`,
    CHOICE,
    `const isOwn = (builds[${key}] ??= 'commonjs') === 'commonjs';`,
    `module.exports = isOwn ? require('../${module}.js') : require('../../${module}.js');`,
    '',
  ].join('\n');
}

export function write(path, text) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}
