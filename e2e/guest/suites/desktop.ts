/** X on the card's DRM driver: what is drawn is what the card shows, pixel by pixel, and what is typed is heard. */
import { expect, it } from 'vitest';
import type { Guest, GuestProcess } from '#app/hosts/guest/qemu.ts';
import { withTimeout } from '../guest-lab.ts';

const TOKEN = 'desktop-suite';
const PORT = 7440;

interface Step {
  step: string;
  width: number;
  height: number;
  different: number;
  first?: { x: number; y: number };
  travelled: number;
  by: [number, number];
}

/** The headless lab in the guest, with the card on the bus. */
async function startLab(guest: Guest): Promise<GuestProcess> {
  let said = '';
  let listening: () => void = () => {};
  const ready = new Promise<void>((resolve) => (listening = resolve));
  const args = ['--host', 'pciem', '--port', String(PORT), '--token', TOKEN, '--device', 'protopciem'];
  const lab = guest.spawn(['node', '/lab/lab/server.js', ...args], {
    onStdout: (data) => {
      said += data;
      if (said.includes('PCIem Lab is at')) listening();
    },
    onStderr: (data) => (said += data),
  });
  const ended = lab.exited.then(({ code }) => {
    throw new Error(`the lab ended with ${code}: ${said}`);
  });
  ended.catch(() => {});
  await withTimeout(Promise.race([ready, ended]), 60_000, () => `the lab did not start: ${said}`);
  return lab;
}

export function desktopSuite(guest: () => Guest): void {
  it('a known picture drawn through X is the card’s, and keys and mouse of the window are heard by X', async () => {
    await guest().output(
      `driver=/lab/modules/protopciem.ko
       modprobe -a uinput evdev $(modinfo -F depends $driver | tr , ' ')
       lsmod | grep -q ^protopciem || insmod $driver`,
    );
    const lab = await startLab(guest());
    try {
      const result = await guest().exec(['/lab/demo/x.sh', 'protopciem', 'node', '/lab/e2e/x-picture.mjs'], {
        env: { LAB: `ws://127.0.0.1:${PORT}/lab`, TOKEN },
        timeoutMs: 120_000,
      });
      expect(result.code, `${result.stdout}\n${result.stderr}`).toBe(0);
      const steps = new Map(
        result.stdout
          .split('\n')
          .filter((line) => line.startsWith('{'))
          .map((line) => JSON.parse(line) as Step)
          .map((step) => [step.step, step]),
      );
      for (const name of ['whole', 'part', 'scrolled']) {
        expect(steps.get(name), name).toMatchObject({ width: 640, height: 480, different: 0 });
      }
      // Tiles of 64 by 16 pixels that the small rectangle touches, not the picture.
      expect(steps.get('part')!.travelled).toBeLessThan(0.05);
      expect(steps.get('key')).toMatchObject({ type: 2, detail: 38 });
      expect(steps.get('button')).toMatchObject({ type: 4, detail: 3 });
      expect(steps.get('wheel')).toMatchObject({ type: 4, detail: 5 });
      expect(steps.get('motion')!.by).toEqual([30, 20]);
      expect(steps.has('released')).toBe(true);
    } finally {
      lab.kill('SIGTERM');
      await withTimeout(lab.exited, 60_000, 'the lab did not end');
    }
    // Its keyboard and mouse went with it.
    expect(await guest().output('grep -c "PCIem Lab" /proc/bus/input/devices || true')).toBe('0\n');
    await guest().output('rmmod protopciem');
  }, 240_000);
}
