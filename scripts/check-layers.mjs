// Layers import only downwards (docs/architecture.md). Exit status 1 with a line for each import that does not.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

/** Folder -> the folders it may import from, beside itself. The longest matching folder decides. */
const ALLOWED = {
  'devices/sdk': [],
  'devices/testing': ['devices'],
  devices: ['devices/sdk'],
  'app/contract': [],
  'app/hosts': ['app/contract', 'devices', 'native'],
  'app/lab': ['app/contract', 'app/hosts', 'devices'],
  'app/server': ['app/contract', 'app/hosts', 'app/lab', 'app/version.ts'],
  'app/cli': ['app/contract', 'app/hosts', 'app/lab', 'app/server', 'app/version.ts', 'devices'],
  'app/main': ['app/contract', 'app/hosts', 'app/lab', 'app/server', 'app/version.ts'],
  'app/preload': [],
  'app/testing': ['app/contract'],
  'app/version.ts': ['package.json'],
  renderer: ['app/contract'],
  native: ['kernel/uapi'],
  e2e: ['app', 'devices', 'native', 'renderer'],
};

/** Modules of npm and Node that a folder must not import. */
const FORBIDDEN = {
  devices: /^(node:|electron|react|ws$)/,
  'app/contract': /^(node:|electron|react|ws$)/,
  renderer: /^(node:|electron)/,
  'app/lab': /^electron/,
  'app/hosts': /^electron/,
  'app/server': /^electron/,
  'app/cli': /^electron/,
};

const ALIASES = [
  [/^#devices\//, 'devices/'],
  [/^#contract\//, 'app/contract/'],
  [/^#app\//, 'app/'],
  [/^#native$/, 'native/index.js'],
  [/^#renderer\//, 'renderer/'],
];

const inside = (path, folder) => path === folder || path.startsWith(`${folder}/`);

function layerOf(path) {
  const matches = Object.keys(ALLOWED).filter((folder) => inside(path, folder));
  return matches.sort((a, b) => b.length - a.length)[0];
}

function resolveImport(file, specifier) {
  if (specifier.startsWith('.')) return normalize(join(dirname(file), specifier));
  for (const [pattern, target] of ALIASES)
    if (pattern.test(specifier)) return specifier.replace(pattern, target);
  return undefined;
}

const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '*.ts', '*.tsx'], {
  encoding: 'utf8',
})
  .split('\n')
  .filter((file) => layerOf(file) !== undefined && !/vite\.config\.ts$/.test(file));
let wrong = 0;
for (const file of files) {
  const layer = layerOf(file);
  const isTest = /\.test\.tsx?$/.test(file);
  let text;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    continue; // Deleted, not yet committed.
  }
  for (const [, specifier] of text.matchAll(/(?:from|import)\s*\(?\s*['"]([^'"]+)['"]/g)) {
    const target = resolveImport(file, specifier);
    let bad;
    if (target === undefined) {
      const rule = Object.entries(FORBIDDEN).find(([folder]) => inside(file, folder))?.[1];
      bad = rule?.test(specifier) && !isTest;
    } else {
      bad =
        !inside(target, layer) &&
        !ALLOWED[layer].some((folder) => inside(target, folder)) &&
        !(isTest && (inside(target, 'devices/testing') || inside(target, 'app/testing')));
    }
    if (bad) {
      process.stderr.write(`${file}: ${layer} may not import ${specifier}\n`);
      wrong++;
    }
  }
}
if (wrong > 0) process.exit(1);
process.stdout.write(`layers: ${files.length} files import only downwards\n`);
