// `--help` of the programs under test/: the paragraph their file opens with, so that what is printed
// and what is read in the file cannot differ.

import './output.mjs';
import { readFileSync } from 'node:fs';

/** True, and the help printed, when the arguments ask for it. `file` is a path or URL. */
export function helped(args, file) {
  if (!args.includes('--help') && !args.includes('-h')) return false;
  console.log(openingOf(readFileSync(file, 'utf8')));
  return true;
}

/** The first comment of a file as plain text, whichever way it is marked. */
function openingOf(source) {
  const lines = [];
  for (const line of source.split('\n')) {
    if (/^\/\*\*\s*$/.test(line)) continue;
    const text = /^\s*(?:\/\/|\*(?!\/)) ?(.*)$/.exec(line);
    if (!text) break;
    lines.push(text[1]);
  }
  return lines.join('\n');
}
