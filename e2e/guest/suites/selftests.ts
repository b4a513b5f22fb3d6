/** The module's own tests, which attack the ABI directly. */
import { expect, it } from 'vitest';
import type { Guest } from '#app/hosts/guest/qemu.ts';

export function selftestsSuite(guest: () => Guest): void {
  it('kernel/selftests pass', async () => {
    let said = '';
    const result = await guest().exec('cd /lab/selftests && ./run.sh', {
      timeoutMs: 170_000,
      env: { PCIEM_MODULES: '/lab/modules' },
      onStdout: (data) => (said += data),
      onStderr: (data) => (said += data),
    });
    expect(result.code, said.slice(-4000)).toBe(0);
  });
}
