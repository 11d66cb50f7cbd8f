#!/usr/bin/env node
// `npm create @concordat my-service`: writes a new service.
import '../dist/main.js';
