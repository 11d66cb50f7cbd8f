// How the admin view becomes static files. Guards the strict content policy: everything is a file of our
// own, nothing is inlined (no data: script, style or font), and asset names carry their content's hash.

import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

export default defineConfig({
  base: '/admin/',
  plugins: [react()],
  build: {
    outDir: 'dist',
    // build.mjs clears it: the compiler keeps its own notes there.
    emptyOutDir: false,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: 'es2022',
    sourcemap: false,
  },
  server: {
    proxy: { '/v1': process.env.CONCORDAT_URL ?? 'http://127.0.0.1:7400' },
  },
});
