/**
 * Loaded into a service with `node --import`: its wall clock is off by as much as the file named by
 * CLOCK_FILE says ("<offset in ms> <rate>"), and jumps whenever the file changes. The monotonic clock
 * is left alone, as a real clock step leaves it. Test code from outside: no build has any of it.
 */
import { readFileSync, watchFile } from 'node:fs';

const file = process.env['CLOCK_FILE'] ?? '';
const RealDate = globalThis.Date;
let setting = { offsetMs: 0, rate: 1, since: RealDate.now() };

function read() {
  const [offset = '0', rate = '1'] = readFileSync(file, 'utf8').trim().split(' ');
  setting = { offsetMs: Number(offset), rate: Number(rate), since: RealDate.now() };
}

function now() {
  const { offsetMs, rate, since } = setting;
  return Math.floor(since + (RealDate.now() - since) * rate + offsetMs);
}

class ShiftedDate extends RealDate {
  constructor(...given) {
    if (given.length === 0) super(now());
    else super(...given);
  }

  static now() {
    return now();
  }
}

read();
watchFile(file, { interval: 50, persistent: false }, () => {
  read();
  process.stderr.write(`the clock is off by ${setting.offsetMs} ms, rate ${setting.rate}\n`);
});
globalThis.Date = ShiftedDate;
