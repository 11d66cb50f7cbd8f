#!/usr/bin/env node
// `npx concordat-coordinator …`: the coordinator, and `keygen`.
import '../dist/main.js';
