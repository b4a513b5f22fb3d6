// @vitest-environment happy-dom
import { expect, test } from 'vitest';
import type { PeerWindow } from '#contract/dma.ts';
import { peerPlace } from './tools.tsx';

test('an address in the memory of another device is told by whose it is', () => {
  const windows: PeerWindow[] = [
    { address: 0x1000, size: 0x1000, device: 3, bar: 2, decoding: true },
    { address: 0x8000, size: 0x100, device: 0, bar: 0, decoding: true },
  ];
  expect(peerPlace(windows, 0x1000)).toBe('device 3, BAR2+0x0');
  expect(peerPlace(windows, 0x1fff)).toBe('device 3, BAR2+0xfff');
  expect(peerPlace(windows, 0x2000)).toBe('');
  expect(peerPlace(windows, 0x8010)).toBe('module parameter p2p_regions+0x10');
});
