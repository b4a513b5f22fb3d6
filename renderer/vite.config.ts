import { resolve } from 'node:path';
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

/** The window alone: `npx vite renderer`, then open `/?fake` to see it against the fake lab. */
export default defineConfig({
  root: import.meta.dirname,
  plugins: [react()],
  server: { fs: { allow: [resolve(import.meta.dirname, '..')] } },
  build: { outDir: resolve(import.meta.dirname, '../out/renderer'), emptyOutDir: true },
});
