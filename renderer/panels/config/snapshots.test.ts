// @vitest-environment happy-dom
import { expect, test } from 'vitest';
import {
  bytesOf,
  forgetSnapshot,
  hexOf,
  KEPT_SNAPSHOTS,
  keepSnapshot,
  parseSnapshots,
  snapshots,
} from './snapshots.ts';

test('a snapshot is kept, bounded, and forgotten', () => {
  const first = keepSnapshot('one', Uint8Array.of(0x36, 0x1b));
  expect(bytesOf(first.bytes)).toEqual(Uint8Array.of(0x36, 0x1b));
  expect(parseSnapshots(localStorage.getItem('pciem-lab-snapshots'))).toEqual([first]);
  for (let at = 0; at < KEPT_SNAPSHOTS; at++) keepSnapshot(`more ${at}`, Uint8Array.of(at));
  expect(snapshots.getState().all).toHaveLength(KEPT_SNAPSHOTS);
  expect(snapshots.getState().all.some(({ id }) => id === first.id)).toBe(false);
  const last = snapshots.getState().all.at(-1)!;
  forgetSnapshot(last.id);
  expect(snapshots.getState().all).toHaveLength(KEPT_SNAPSHOTS - 1);
});

test('what is torn is left out', () => {
  expect(parseSnapshots('{')).toEqual([]);
  expect(parseSnapshots('null')).toEqual([]);
  expect(parseSnapshots('[{"id":1,"name":"x","bytes":"0"},{"id":2,"name":"y","bytes":"00ff"}]')).toEqual([
    { id: 2, name: 'y', bytes: '00ff' },
  ]);
  expect(hexOf(Uint8Array.of(0, 255))).toBe('00ff');
});
