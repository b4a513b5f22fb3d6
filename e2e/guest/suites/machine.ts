/** The machine itself: without these, a green run of the others would mean nothing. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, it } from 'vitest';
import type { BootOptions, Guest } from '#app/hosts/guest/qemu.ts';

export function machineSuite(guest: () => Guest): void {
  it('is the kernel that was asked for, with two processors', async () => {
    expect(await guest().output('uname -r')).toMatch(new RegExp(`^${guest().kernel.replace('.', '\\.')}\\.`));
    expect((await guest().output('nproc')).trim()).toBe('2');
  });

  it('returns exit status, output and signals apart', async () => {
    const result = await guest().exec('echo out; echo err >&2; exit 7');
    expect(result).toEqual({ code: 7, signal: null, stdout: 'out\n', stderr: 'err\n' });
    expect(await guest().exec('kill -9 $$')).toMatchObject({ code: 137, signal: 'SIGKILL' });
    expect((await guest().exec(['printf', '%s|', 'a b', "c'd"])).stdout).toBe("a b|c'd|");
    await expect(guest().exec(['/no/such/program'])).rejects.toThrow(/could not start it.*ENOENT/);
    await expect(guest().output('echo why >&2; false')).rejects.toThrow(/ended with 1: why/);
  });

  it('runs commands side by side', async () => {
    const results = await Promise.all(
      Array.from({ length: 8 }, (_, i) => guest().exec(`sleep 0.${8 - i}; echo ${i}; exit ${i}`)),
    );
    expect(results.map(({ code, stdout }) => `${code}:${stdout.trim()}`)).toEqual(
      Array.from({ length: 8 }, (_, i) => `${i}:${i}`),
    );
  });

  it('does not wait for a daemon that keeps the output open', async () => {
    const before = performance.now();
    expect((await guest().exec('sleep 60 & echo started')).stdout).toBe('started\n');
    expect(performance.now() - before).toBeLessThan(10_000);
    await guest().exec('pkill -x sleep');
  });

  it('kills a command and all it started at its time limit', async () => {
    await expect(guest().exec('sleep 321 & sleep 321', { timeoutMs: 1000 })).rejects.toThrow(
      /took longer than 1 s/,
    );
    expect((await guest().exec('pgrep -f "sleep 321" | grep -v $$')).stdout).toBe('');
  });

  it('feeds input of any size, and a command that ignores its input holds up nobody', async () => {
    const deaf = guest().spawn('sleep 30', { stdin: true });
    const stuck = deaf.write(Buffer.alloc(4 << 20));
    const input = Buffer.alloc(3 << 20, 'abcdefg\n');
    const result = await guest().exec('wc -c', { input });
    expect(result.stdout.trim()).toBe(String(input.length));
    deaf.kill('SIGKILL');
    expect((await deaf.exited).code).toBe(137);
    await stuck;
  });

  it('copies files and directories both ways unchanged', async () => {
    const dir = mkdtempSync(path.join(tmpdir(), 'pciem-copy-'));
    try {
      const bytes = Buffer.alloc(1_500_001, 'every byte');
      writeFileSync(path.join(dir, "it's a file"), bytes);
      await guest().copyIn(path.join(dir, "it's a file"), "/tmp/copy/it's here");
      await guest().copyOut("/tmp/copy/it's here", path.join(dir, 'back'));
      expect(readFileSync(path.join(dir, 'back')).equals(bytes)).toBe(true);
      await guest().copyIn(dir, '/tmp/copied');
      expect((await guest().output('ls /tmp/copied')).trim().split('\n').sort()).toEqual([
        'back',
        "it's a file",
      ]);
      await expect(guest().copyOut('/no/such', path.join(dir, 'x'))).rejects.toThrow(/No such file/);
      await guest().exec('rm -rf /tmp/copy /tmp/copied');
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });

  it('sees trouble in the kernel log within a second', async () => {
    expect(guest().problems).toEqual([]);
    await guest().exec('echo "WARNING: CPU: 0 PID: 1 at a test" > /dev/kmsg; sleep 0.5');
    const problems = guest().takeProblems();
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain('WARNING: CPU: 0 PID: 1 at a test');
    // Not again when the log is read as a whole.
    await guest().exec('dmesg -C');
  });

  it('has node, fio with libaio, nvme-cli and lspci', async () => {
    expect((await guest().output('node -p process.version')).trim()).toBe(process.version);
    expect(await guest().output('fio --enghelp')).toContain('libaio');
    expect(await guest().output('nvme version')).toMatch(/nvme version/);
    expect(await guest().output('lspci')).toMatch(/Virtio/);
  });
}

/** Ends machines on purpose, so it boots its own. */
export function machineEndSuite(boot: (options?: BootOptions) => Promise<Guest>, root: string): void {
  it('settles everything when QEMU dies, and reports an unexpected panic', async () => {
    const guest = await boot();
    const running = guest.spawn('sleep 100');
    await running.started;
    const waiting = guest.exec('sleep 100');
    guest.spawn('echo 1 > /proc/sys/kernel/sysrq; sleep 0.3; echo c > /proc/sysrq-trigger');
    const outcomes = await Promise.allSettled([running.exited, waiting]);
    for (const outcome of outcomes) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'GUEST_STOPPED' } });
    }
    expect(guest.running).toBe(false);
    expect(guest.problems.join('\n')).toMatch(/sysrq/i);
    expect(() => guest.assertHealthy()).toThrow(/reported/);
    await expect(guest.exec('true')).rejects.toThrow(/the guest has stopped/);
    await guest.shutdown();
  });

  it('says at once what QEMU could not do', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    try {
      await expect(boot({ forwards: [{ host: port, guest: 80 }] })).rejects.toThrow(
        /the guest has stopped: exit status 1: .*host forwarding/s,
      );
    } finally {
      server.close();
    }
    await expect(boot({ forwards: [{ host: 0, guest: 80 }] })).rejects.toThrow(/0 is no TCP port/);
    await expect(boot({ bootTimeoutMs: 500 })).rejects.toThrow(/did not start within 0.5 s/);
  });

  it('takes QEMU along when the process that booted it is killed', async () => {
    const child = spawn(
      process.execPath,
      [path.join(root, 'out/lab/guest-run.js'), '--no-build', '--', 'echo is up; sleep 300'],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    let said = '';
    child.stderr.on('data', (data) => (said += data));
    await new Promise<void>((resolve, reject) => {
      child.stdout.on('data', (data) => String(data).includes('is up') && resolve());
      child.on('close', (code) => reject(new Error(`guest-run ended early with ${code}: ${said}`)));
    });
    const qemu = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim();
    expect(qemu).toMatch(/^\d+$/);
    child.kill('SIGKILL');
    for (let i = 0; i < 50 && isAlive(qemu); i++) await new Promise((resolve) => setTimeout(resolve, 100));
    expect(isAlive(qemu)).toBe(false);
  });
}

function isAlive(pid: string): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
