/**
 * A real Chromium for tests: the one CONCORDAT_CHROMIUM names, or one on the PATH. Guards "CI fails
 * without it, elsewhere it is skipped with a notice": where it is required, its absence is an error.
 */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { jest } from '@jest/globals';
import { chromium, type Browser } from 'playwright-core';
import { isNightly, itNightly } from '../stage/nightly.js';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

const { CONCORDAT_CHROMIUM, CONCORDAT_BROWSER, CI, PATH = '' } = process.env;

const executablePath = CONCORDAT_CHROMIUM ?? onThePath();
const isRequired = CONCORDAT_BROWSER === 'required' || (CI !== undefined && CI !== '');
if (!executablePath) {
  const remedy = 'Install Chromium, or say where it is in CONCORDAT_CHROMIUM.';
  if (isRequired) throw new Error(`The tests in a browser are required here. ${remedy}`);
  process.stderr.write(`concordat: the tests in a browser are skipped. ${remedy}\n`);
}

/** A browser, three services and two servers on a busy machine: what hangs is reported by its own wait. */
jest.setTimeout(300_000);

export const hasBrowser = executablePath !== undefined;

/** A test that needs the browser. */
export const itInBrowser = hasBrowser ? it : it.skip;

/** One that runs nightly only: long, where another in its suite shows the same of something else. */
export const nightlyInBrowser = isNightly ? itInBrowser : itNightly;

export async function launch(): Promise<Browser> {
  return chromium.launch({
    executablePath,
    // Root has no sandbox of Chromium's own; the pages are ours and on loopback. A graphics card that is emulated
    // takes a tenth of the processor time.
    args: [
      '--disable-gpu',
      '--disable-software-rasterizer',
      ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
    ],
  });
}

function onThePath(): string | undefined {
  const candidates = PATH.split(delimiter).flatMap((folder) =>
    NAMES.map((name) => join(folder, name)),
  );
  return candidates.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
