/**
 * Writes a new service: the files of two templates with its name in them, and a manifest. Guards "it never
 * overwrites": a folder that has anything in it is refused.
 */
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { manifestOf } from './manifest.js';
import type { NewService } from './new-service.js';
import { SERVICE_NAME, databaseOf } from './names.js';

/** The service cannot be written as it was asked for; the message says what to change. */
export class CreationRefused extends Error {
  override readonly name = 'CreationRefused';
}

const TEMPLATES = fileURLToPath(new URL('../templates/', import.meta.url));

/** Writes the service and returns its folder. Throws {@link CreationRefused}. */
export function createService(service: NewService): string {
  const { name, access, within = '.' } = service;
  if (!SERVICE_NAME.test(name)) {
    throw new CreationRefused(
      `the name '${name}' cannot be a participant’s: give small letters, digits and '-', at most 32, a letter first`,
    );
  }
  const folder = resolve(within, name);
  if (existsSync(folder) && !isEmptyFolder(folder)) {
    throw new CreationRefused(`${folder} is there already: give another name, or remove it`);
  }
  const files = new Map([
    ...filesOf(join(TEMPLATES, 'every')),
    ...filesOf(join(TEMPLATES, access)),
    ['package.json', `${JSON.stringify(manifestOf(service), null, 2)}\n`],
    ['.gitignore', 'node_modules/\ndist/\n.concordat/\n'],
  ]);
  for (const [path, text] of files) {
    const file = join(folder, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, named(text, name));
  }
  return folder;
}

function isEmptyFolder(path: string): boolean {
  return statSync(path).isDirectory() && readdirSync(path).length === 0;
}

function filesOf(template: string): (readonly [path: string, text: string])[] {
  return readdirSync(template, { recursive: true, encoding: 'utf8' })
    .filter((path) => statSync(join(template, path)).isFile())
    .map((path) => [path, readFileSync(join(template, path), 'utf8')]);
}

function named(text: string, name: string): string {
  return text.replaceAll('__service__', name).replaceAll('__database__', databaseOf(name));
}
