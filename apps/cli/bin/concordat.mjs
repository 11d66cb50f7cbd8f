#!/usr/bin/env node
// `npx concordat …`: the command line once `npm run build` has made it.
import '../dist/main.js';
