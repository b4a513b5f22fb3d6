import { resolve } from 'node:path';
import react from '@vitejs/plugin-react';
import { defineConfig } from 'electron-vite';

const root = import.meta.dirname;

/** Native code and what loads it stays outside the bundles. */
const external = [/^electron$/, /^node:/, '@lydell/node-pty', /\.node$/];

export default defineConfig({
  main: {
    build: {
      outDir: 'out/main',
      rollupOptions: {
        // The lab's threads lie beside the main process's bundle.
        input: {
          index: resolve(root, 'app/main/index.ts'),
          'device-worker': resolve(root, 'app/lab/device-worker.ts'),
          'store-worker': resolve(root, 'app/lab/store-worker.ts'),
          'initiator-worker': resolve(root, 'app/hosts/sim/initiator-worker.ts'),
        },
        external,
      },
    },
  },
  preload: {
    build: {
      outDir: 'out/preload',
      rollupOptions: {
        input: { index: resolve(root, 'app/preload/index.ts') },
        output: { format: 'cjs', entryFileNames: '[name].cjs' },
        external,
      },
    },
  },
  renderer: {
    root: resolve(root, 'renderer'),
    plugins: [react()],
    build: {
      outDir: resolve(root, 'out/renderer'),
      rollupOptions: { input: resolve(root, 'renderer/index.html') },
    },
  },
});
