// A Postgres that speaks another language, made of an installed one: its words are translated only where
// the system has the locale, so the locale is made for it, in a folder of its own.

import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const INSTALLED = '/usr/lib/postgresql';
const CATALOGS = '/usr/share/locale';

/** The folder of an installed server that has its words in this language ("de_DE"), if there is one. */
export function installedSpeaking(language) {
  if (!existsSync(INSTALLED) || !existsSync('/usr/share/i18n/locales')) return undefined;
  const [code] = language.split('_');
  const major = readdirSync(INSTALLED).find((one) =>
    existsSync(join(CATALOGS, code, 'LC_MESSAGES', `postgres-${one}.mo`)),
  );
  return major && join(INSTALLED, major, 'bin');
}

/** A folder of binaries like that one, whose server speaks the language; and what removes it. */
export function speaking(language, bin) {
  const home = mkdtempSync(join(tmpdir(), 'concordat-language-'));
  const remove = () => rmSync(home, { recursive: true, force: true });
  const locale = `${language}.UTF-8`;
  const [locales, folder] = [join(home, 'locales'), join(home, 'bin')];
  for (const made of [home, locales, folder]) {
    mkdirSync(made, { recursive: true });
    chmodSync(made, 0o755);
  }
  const compiler = ['-i', language, '-f', 'UTF-8', join(locales, locale)];
  const compiled = spawnSync('localedef', compiler, { encoding: 'utf8' });
  if (!existsSync(join(locales, locale))) {
    remove();
    throw new Error(`localedef made no ${locale}: ${compiled.stderr ?? compiled.error?.message}`);
  }
  for (const name of readdirSync(bin)) {
    if (name !== 'postgres') symlinkSync(join(bin, name), join(folder, name));
  }
  // Also asked for its version, where it takes no settings.
  const script = `#!/bin/sh
export LOCPATH='${locales}' LC_ALL='${locale}'
case "$*" in *-D*-c*) set -- "$@" -c lc_messages='${locale}' ;; esac
exec '${join(bin, 'postgres')}' "$@"
`;
  writeFileSync(join(folder, 'postgres'), script, { mode: 0o755 });
  chmodSync(join(folder, 'postgres'), 0o755);
  return { folder, remove };
}
