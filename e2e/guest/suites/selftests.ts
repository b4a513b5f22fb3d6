/** The module's own tests, which attack the ABI directly, and the binding's tests against the real node. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import type { Guest } from '#app/hosts/guest/qemu.ts';

/** The programs of kernel/selftests, as its Makefile names them. */
export function selftestPrograms(root: string): string[] {
  const makefile = readFileSync(path.join(root, 'kernel/selftests/Makefile'), 'utf8');
  const programs = /^PROGRAMS := (.+)$/m.exec(makefile)?.[1]?.trim().split(/\s+/) ?? [];
  if (programs.length === 0) throw new Error('kernel/selftests/Makefile names no programs');
  return programs;
}

/** `run` says "ok - ..." and "not ok - ..."; what failed is the error, and a run that checked nothing failed too. */
async function expectOk(guest: Guest, command: string): Promise<void> {
  const result = await guest.exec(`${command} 2>&1`, { timeoutMs: 330_000 });
  const failed = result.stdout.split('\n').filter((line) => line.startsWith('not ok'));
  expect(failed, `${failed.join('\n')}\nall it said:\n${result.stdout.slice(-6000)}`).toEqual([]);
  expect(result.code, result.stdout.slice(-6000)).toBe(0);
  expect(result.stdout).toMatch(/^ok - /m);
}

export function selftestsSuite(guest: () => Guest, root: string, withBinding: boolean): void {
  for (const program of selftestPrograms(root)) {
    it(
      `kernel/selftests: ${program}`,
      () => expectOk(guest(), `/lab/selftests/run.sh --keep ${program}`),
      360_000,
    );
  }
  it('kernel/selftests: what they used is given back, and the modules unload', () =>
    expectOk(guest(), '/lab/selftests/run.sh config'));

  // The binding is the same for every kernel, so one will do.
  if (!withBinding) return;
  it(
    'native/tests: every call of the binding against /dev/pciem',
    () => expectOk(guest(), 'node --expose-gc /lab/native/tests/guest.mjs'),
    360_000,
  );
}
