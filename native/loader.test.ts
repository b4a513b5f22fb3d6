import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'pciem-loader-'));
afterAll(() => rmSync(folder, { recursive: true }));

const script = `
  const { PciemDevice, DmaFlags } = await import(process.argv[1]);
  try {
    new PciemDevice('/dev/null').close();
    console.log('loaded', DmaFlags.write);
  } catch (error) {
    console.log(error.code, error.message, '/', error.hint);
  }
`;

function run(index: string, environment: Record<string, string> = {}): string {
  const { PCIEM_NATIVE: _, ...inherited } = process.env;
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ['--input-type=module', '--eval', script, '--', index],
    { env: { ...inherited, ...environment }, encoding: 'utf8' },
  );
  return stdout + stderr;
}

/** The loader alone, `depth` folders below its root. */
function copy(name: string, ...path: string[]): { root: string; index: string } {
  const root = join(folder, name);
  const inner = join(root, ...path);
  mkdirSync(inner, { recursive: true });
  copyFileSync(here('index.js'), join(inner, 'index.mjs'));
  return { root, index: join(inner, 'index.mjs') };
}

const binary = here('build/Release/pciem.node');

describe('the binding is found', () => {
  it('in the build folder beside its sources', () => {
    expect(run(here('index.js'))).toBe('loaded 2\n');
  });

  it('beside a bundle', () => {
    const { root, index } = copy('beside');
    copyFileSync(binary, join(root, 'pciem.node'));
    expect(run(index)).toBe('loaded 2\n');
  });

  it('in native/ of the folder that holds the bundle’s folders', () => {
    const { root, index } = copy('above', 'out', 'lab');
    mkdirSync(join(root, 'native/build/Release'), { recursive: true });
    copyFileSync(binary, join(root, 'native/build/Release/pciem.node'));
    expect(run(index)).toBe('loaded 2\n');
  });

  it('where PCIEM_NATIVE says', () => {
    expect(run(copy('named').index, { PCIEM_NATIVE: binary })).toBe('loaded 2\n');
  });
});

describe('without the binding the module loads, and its use says what is missing', () => {
  it('when it was not built', () => {
    const text = run(copy('missing').index);
    expect(text).toContain('ENOENT The native binding (pciem.node) is not built.');
    expect(text).toContain('npm run build:native');
  });

  it('when PCIEM_NATIVE names nothing, whatever else there is', () => {
    const { root, index } = copy('wrong');
    copyFileSync(binary, join(root, 'pciem.node'));
    expect(run(index, { PCIEM_NATIVE: join(folder, 'nothing.node') })).toContain(
      'nothing.node cannot be loaded',
    );
  });

  it('when it is no binding', () => {
    const { root, index } = copy('broken');
    writeFileSync(join(root, 'pciem.node'), 'not a library');
    expect(run(index)).toMatch(/pciem\.node cannot be loaded: .*(invalid ELF header|file too short)/);
  });
});
