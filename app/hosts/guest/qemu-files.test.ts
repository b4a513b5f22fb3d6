import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { chooseAccel } from './qemu-accel.ts';
import { findRoot, guestImages, packFiles } from './qemu-files.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'pciem-files-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const list = (archive: string) =>
  execFileSync('tar', ['-tf', archive], { encoding: 'utf8' })
    .trim()
    .split('\n')
    .filter((name) => !name.endsWith('/'))
    .sort();

describe('the files of one start', () => {
  it('are packed under the names that they get in the guest', async () => {
    mkdirSync(path.join(dir, 'lab/sub'), { recursive: true });
    writeFileSync(path.join(dir, 'lab/cli.js'), 'cli');
    writeFileSync(path.join(dir, 'lab/sub/x.js'), 'x');
    writeFileSync(path.join(dir, 'lab/cli.js.map'), 'not taken along');
    writeFileSync(path.join(dir, 'one & [two].ko'), 'module');
    symlinkSync('cli.js', path.join(dir, 'lab/link.js'));
    const archive = path.join(dir, 'files.tar');
    await packFiles(archive, [
      { host: path.join(dir, 'lab'), guest: '/lab/lab/' },
      { host: path.join(dir, 'one & [two].ko'), guest: '/lab/a & b.ko' },
      { host: path.join(dir, 'missing'), guest: '/x', optional: true },
    ]);
    expect(list(archive)).toEqual(['lab/a & b.ko', 'lab/lab/cli.js', 'lab/lab/link.js', 'lab/lab/sub/x.js']);
    expect(execFileSync('tar', ['-xOf', archive, 'lab/a & b.ko'], { encoding: 'utf8' })).toBe('module');
    // A link leads nowhere in the guest: what it names is taken.
    expect(execFileSync('tar', ['-xOf', archive, 'lab/lab/link.js'], { encoding: 'utf8' })).toBe('cli');
  });

  it('must exist, and must have an absolute place', async () => {
    const archive = path.join(dir, 'files.tar');
    await expect(packFiles(archive, [{ host: path.join(dir, 'no'), guest: '/x' }])).rejects.toThrow(
      /no, meant for \/x in the guest, does not exist/,
    );
    await expect(packFiles(archive, [{ host: dir, guest: 'x' }])).rejects.toThrow(
      /"x" is no path for the guest/,
    );
  });

  it('are found from a source file and from a bundle', () => {
    const root = findRoot();
    expect(findRoot(path.join(root, 'out/lab'))).toBe(root);
    expect(() => findRoot('/')).toThrow(/no kernel\/guest\/build.sh above/);
  });

  it('say what to run when the guest is not built', () => {
    expect(() => guestImages(dir, '6.1')).toThrow(/the guest is not built: .*vmlinuz is missing/);
  });
});

describe('the acceleration', () => {
  it('can be set, to what there is', async () => {
    const before = process.env.PCIEM_LAB_ACCEL;
    try {
      const images = { kernel: '', initrd: '', rootImage: '', release: '' };
      process.env.PCIEM_LAB_ACCEL = 'tcg';
      expect(await chooseAccel('/bin/true', images, dir)).toBe('tcg');
      process.env.PCIEM_LAB_ACCEL = 'fast';
      await expect(chooseAccel('/bin/true', images, dir)).rejects.toThrow(/"fast"; kvm and tcg are accepted/);
    } finally {
      if (before === undefined) delete process.env.PCIEM_LAB_ACCEL;
      else process.env.PCIEM_LAB_ACCEL = before;
    }
  });
});
