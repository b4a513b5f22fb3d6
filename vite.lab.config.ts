import { resolve } from 'node:path';
import { defineConfig } from 'vite';

const root = import.meta.dirname;

/** The lab without Electron: the headless shell, the command line, and the threads beside them. */
export default defineConfig({
  publicDir: false,
  ssr: { noExternal: true, external: ['@lydell/node-pty'] },
  build: {
    ssr: true,
    target: 'node20',
    outDir: 'out/lab',
    emptyOutDir: true,
    minify: false,
    rollupOptions: {
      input: {
        server: resolve(root, 'app/cli/server.ts'),
        cli: resolve(root, 'app/cli/main.ts'),
        'device-worker': resolve(root, 'app/lab/device-worker.ts'),
        'store-worker': resolve(root, 'app/lab/store-worker.ts'),
        'initiator-worker': resolve(root, 'app/hosts/sim/initiator-worker.ts'),
        'store-bench': resolve(root, 'app/lab/store-bench.ts'),
        'window-lab': resolve(root, 'e2e/bench/window-lab.ts'),
        'display-lab': resolve(root, 'e2e/bench/display-lab.ts'),
        'display-driver': resolve(root, 'e2e/bench/display-driver.ts'),
        'trace-feeder': resolve(root, 'e2e/bench/trace-feeder.ts'),
        'guest-run': resolve(root, 'app/hosts/guest/run-main.ts'),
      },
      external: [/\.node$/],
      output: { entryFileNames: '[name].js', chunkFileNames: '[name].js' },
    },
  },
});
