/** Where the guest's files are on this machine, and how the files of one start reach it. */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { LabError } from '../errors.ts';

export type GuestKernel = '6.1' | '6.12';
export const GUEST_KERNELS: readonly GuestKernel[] = ['6.1', '6.12'];

/** One file or directory of this machine, and where it is in the guest. */
export interface GuestFile {
  host: string;
  guest: string;
  /** Left out without a word when it does not exist. */
  optional?: boolean;
}

/** The top of the source tree, from a source file as well as from a bundle in out/. */
export function findRoot(from: string = path.dirname(fileURLToPath(import.meta.url))): string {
  for (let dir = from; ; dir = path.dirname(dir)) {
    if (existsSync(path.join(dir, 'kernel/guest/build.sh'))) return dir;
    if (dir === path.dirname(dir)) {
      throw new LabError(
        'NO_SOURCE_TREE',
        `no kernel/guest/build.sh above ${from}`,
        'The guest is built from the source tree; run it from there or set PCIEM_LAB_ROOT.',
      );
    }
  }
}

export function guestRoot(): string {
  return process.env.PCIEM_LAB_ROOT ?? findRoot();
}

export function guestOutDir(root: string): string {
  return process.env.PCIEM_LAB_GUEST_OUT ?? path.join(root, 'out/guest');
}

export interface GuestImages {
  kernel: string;
  initrd: string;
  rootImage: string;
  release: string;
}

export function guestImages(root: string, kernel: GuestKernel): GuestImages {
  const out = guestOutDir(root);
  const unpacked = path.join(out, kernel, 'vmlinux');
  const images = {
    kernel: existsSync(unpacked) ? unpacked : path.join(out, kernel, 'vmlinuz'),
    initrd: path.join(out, kernel, 'initrd'),
    rootImage: path.join(out, 'root.img'),
  };
  for (const file of Object.values(images)) {
    if (!existsSync(file)) {
      throw new LabError(
        'GUEST_NOT_BUILT',
        `the guest is not built: ${file} is missing`,
        `Run kernel/guest/build.sh ${kernel}.`,
      );
    }
  }
  return { ...images, release: readFileSync(path.join(out, kernel, 'release'), 'utf8').trim() };
}

/** Runs kernel/guest/build.sh, which does nothing when nothing changed. Its progress goes to `onProgress`. */
export async function buildGuest(
  kernels: readonly GuestKernel[],
  options: { root?: string; modulesOnly?: boolean; onProgress?: (text: string) => void } = {},
): Promise<void> {
  const root = options.root ?? guestRoot();
  const args = [...(options.modulesOnly ? ['--modules-only'] : []), ...kernels];
  await run(path.join(root, 'kernel/guest/build.sh'), args, 'GUEST_BUILD_FAILED', options.onProgress);
}

/** What every start takes along: the agent, the modules of this kernel, and the lab as it was built. */
export function standardFiles(root: string, kernel: GuestKernel): GuestFile[] {
  const out = guestOutDir(root);
  return [
    { host: path.join(root, 'kernel/guest/start'), guest: '/lab/guest/start' },
    { host: path.join(root, 'kernel/guest/agent.mjs'), guest: '/lab/guest/agent.mjs' },
    { host: path.join(root, 'kernel/guest/demo'), guest: '/lab/demo' },
    { host: path.join(out, 'demo/frames'), guest: '/lab/demo/frames', optional: true },
    { host: path.join(out, kernel, 'modules'), guest: '/lab/modules', optional: true },
    { host: path.join(root, 'out/selftests'), guest: '/lab/selftests', optional: true },
    { host: path.join(root, 'package.json'), guest: '/lab/package.json' },
    { host: path.join(root, 'out/lab'), guest: '/lab/lab', optional: true },
    { host: path.join(root, 'out/renderer'), guest: '/lab/renderer', optional: true },
    { host: path.join(root, 'native/index.js'), guest: '/lab/native/index.js', optional: true },
    {
      host: path.join(root, 'native/build/Release/pciem.node'),
      guest: '/lab/native/build/Release/pciem.node',
      optional: true,
    },
    ...['ws', '@lydell/node-pty', '@lydell/node-pty-linux-x64', 'node-gyp-build', 'commander', 'valibot'].map(
      (name) => ({
        host: path.join(root, 'node_modules', name),
        guest: `/lab/node_modules/${name}`,
        optional: true,
      }),
    ),
  ];
}

/** Packs `files` into one tar archive, which the guest's first process unpacks from a disk. */
export async function packFiles(archive: string, files: readonly GuestFile[]): Promise<void> {
  let first = true;
  for (const { host, guest, optional } of files) {
    if (!guest.startsWith('/') || guest.includes(',') || guest.includes('\n')) {
      throw new LabError('BAD_GUEST_PATH', `"${guest}" is no path for the guest`, 'Give an absolute path.');
    }
    if (!existsSync(host)) {
      if (optional) continue;
      throw new LabError('NO_SUCH_FILE', `${host}, meant for ${guest} in the guest, does not exist`);
    }
    const isDirectory = statSync(host).isDirectory();
    const dir = isDirectory ? host : path.dirname(host);
    const name = isDirectory ? '.' : path.basename(host);
    const target = guest.replace(/^\/+|\/+$/g, '');
    await run(
      'tar',
      [
        first ? '--create' : '--append',
        `--file=${archive}`,
        '--format=gnu',
        '--owner=0',
        '--group=0',
        '--dereference',
        '--exclude=*.map',
        '--exclude=*.d.ts',
        '--exclude=*.o',
        // Only the start of each name: the one entry's own name, or "." of a directory.
        `--transform=s,^${escapeSed(name)}\\(/\\|$\\),${target.replace(/[&\\]/g, '\\$&')}\\1,`,
        `--directory=${dir}`,
        `./${name}`.startsWith('./-') ? `./${name}` : name,
      ],
      'GUEST_FILES',
    );
    first = false;
  }
}

function escapeSed(text: string): string {
  return text.replace(/[.*[\]^$\\/,]/g, '\\$&');
}

/** Runs a program to its end; a failure carries what it said. */
export function run(
  program: string,
  args: readonly string[],
  code: string,
  onProgress?: (text: string) => void,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    let out = '';
    child.stdout.on('data', (data) => (out += data));
    child.stderr.on('data', (data) => {
      said = (said + data).slice(-4000);
      onProgress?.(String(data));
    });
    child.on('error', (error) => reject(new LabError(code, `${program} did not start: ${error.message}`)));
    child.on('close', (status, signal) => {
      if (status === 0) resolve(out);
      else
        reject(new LabError(code, `${path.basename(program)} failed (${signal ?? status}): ${said.trim()}`));
    });
  });
}
