import { expect, test } from 'vitest';
import { findDemo } from './demos.ts';

test('a demo names its device and what it runs', () => {
  expect(findDemo('doom', 'guest', undefined)).toEqual(findDemo('doom', 'guest', 'protopciem'));
  expect(findDemo('frames', 'guest', undefined)).toMatchObject({ device: 'protopciem' });
});

test.each([
  ['tetris', 'guest', undefined, 'NO_SUCH_DEMO', /doom, frames/],
  ['toString', 'guest', undefined, 'NO_SUCH_DEMO', /doom, frames/],
  ['doom', 'sim', undefined, 'DEMO_NEEDS_GUEST', /host "sim"/],
  ['doom', 'pciem', undefined, 'DEMO_NEEDS_GUEST', /host "pciem"/],
  ['doom', 'guest', 'nvme', 'DEMO_DEVICE', /"protopciem", not on "nvme"/],
] as const)('%s on %s with %s is refused', (name, host, device, code, message) => {
  expect(() => findDemo(name, host, device)).toThrow(
    expect.objectContaining({ code, message: expect.stringMatching(message) }),
  );
});
