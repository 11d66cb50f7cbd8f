import { basename, resolve } from 'node:path';

const here = import.meta.dirname;

/** The repository; this file is compiled into test/bench/dist. */
export const ROOT = resolve(here, basename(here) === 'dist' ? '../../..' : '../..');
