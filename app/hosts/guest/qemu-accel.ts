/** Which acceleration QEMU can use here. `/dev/kvm` may exist and still boot no kernel, so it is tried, shortly. */
import { spawn } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { LabError } from '../errors.ts';
import type { GuestImages } from './qemu-files.ts';

export type Accel = 'kvm' | 'tcg';

const PROBE_MS = 8000;

export function findQemu(): string {
  const given = process.env.PCIEM_LAB_QEMU;
  if (given) return given;
  for (const dir of [...(process.env.PATH ?? '').split(':'), '/usr/bin', '/usr/local/bin', '/usr/libexec']) {
    const file = path.join(dir, 'qemu-system-x86_64');
    if (dir && existsSync(file)) return file;
  }
  throw new LabError(
    'NO_QEMU',
    'qemu-system-x86_64 is not installed',
    'Install the packages of kernel/guest/host-packages.txt (on Debian: apt install qemu-system-x86).',
  );
}

export function accelArguments(accel: Accel): string[] {
  return accel === 'kvm'
    ? ['-accel', 'kvm', '-cpu', 'host']
    : // 5-level page tables only make the emulated page walk longer; CMPXCHG16B, of which the kernel's allocator makes
      // much use, has once been seen to leave garbage in the flags; fast string moves are emulated byte by byte.
      ['-accel', 'tcg,thread=multi', '-cpu', 'max,la57=off,cx16=off,erms=off'];
}

/**
 * What the kernel is told of its processors. Emulated, code that lies at the same address in every process is translated
 * once, the counter of the processor is the clock that costs least, and nothing speculates.
 */
export function kernelArguments(accel: Accel): string[] {
  return accel === 'kvm' ? ['tsc=unstable'] : ['tsc=reliable', 'norandmaps', 'mitigations=off'];
}

/** Asked once per start of this machine and QEMU; the answer is kept in `cacheDir`. */
export async function chooseAccel(qemu: string, images: GuestImages, cacheDir: string): Promise<Accel> {
  const forced = process.env.PCIEM_LAB_ACCEL;
  if (forced === 'kvm' || forced === 'tcg') return forced;
  if (forced) throw new LabError('BAD_ACCEL', `PCIEM_LAB_ACCEL is "${forced}"; kvm and tcg are accepted`);
  try {
    accessSync('/dev/kvm', constants.R_OK | constants.W_OK);
  } catch {
    return 'tcg';
  }
  const cache = path.join(cacheDir, 'accel.json');
  const key = `${readText('/proc/sys/kernel/random/boot_id')} ${statSync(qemu).mtimeMs}`;
  try {
    const known = JSON.parse(readText(cache)) as { key: string; accel: Accel };
    if (known.key === key) return known.accel;
  } catch {
    // No answer yet.
  }
  const accel: Accel = (await kvmBoots(qemu, images)) ? 'kvm' : 'tcg';
  try {
    writeFileSync(cache, `${JSON.stringify({ key, accel })}\n`);
  } catch {
    // Asked again next time.
  }
  return accel;
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return '';
  }
}

function kvmBoots(qemu: string, images: GuestImages): Promise<boolean> {
  return new Promise((resolve) => {
    const child = spawn(
      qemu,
      [
        ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot', '-machine', 'q35'],
        ...[...accelArguments('kvm'), '-smp', '2', '-m', '512', '-serial', 'stdio'],
        ...['-kernel', images.kernel, '-initrd', images.initrd],
        ...['-append', 'console=ttyS0 panic=-1 guest.probe'],
      ],
      { stdio: ['ignore', 'pipe', 'ignore'] },
    );
    let seen = '';
    const timer = setTimeout(() => child.kill('SIGKILL'), PROBE_MS);
    const finish = () => {
      clearTimeout(timer);
      resolve(seen.includes('guest-probe-ok'));
    };
    child.stdout.on('data', (data) => {
      seen += data;
      if (seen.includes('guest-probe-ok')) child.kill('SIGKILL');
    });
    child.on('error', finish);
    child.on('close', finish);
  });
}
