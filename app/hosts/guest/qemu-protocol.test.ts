import { describe, expect, it } from 'vitest';
import { encodeFrame, FrameReader, GuestFrame, MAX_FRAME } from './qemu-protocol.ts';

describe('the frames of the guest agent', () => {
  it('come back whole however the stream was cut', () => {
    const stream = Buffer.concat([
      encodeFrame(GuestFrame.STDOUT, 7, 'hello'),
      encodeFrame(GuestFrame.EXIT, 0xffff_ffff, ''),
      encodeFrame(GuestFrame.STDERR, 8, Buffer.alloc(5_000, 3)),
    ]);
    for (const step of [1, 3, 9, 1000, stream.length]) {
      const reader = new FrameReader();
      const frames = [];
      for (let at = 0; at < stream.length; at += step)
        frames.push(...reader.push(stream.subarray(at, at + step)));
      expect(frames.map(({ type, id, payload }) => [type, id, payload.length])).toEqual([
        [GuestFrame.STDOUT, 7, 5],
        [GuestFrame.EXIT, 0xffff_ffff, 0],
        [GuestFrame.STDERR, 8, 5_000],
      ]);
      expect(frames[0]!.payload.toString()).toBe('hello');
    }
  });

  it('refuse a length that no agent sends', () => {
    const bad = encodeFrame(GuestFrame.STDOUT, 1, 'x');
    bad.writeUInt32LE(MAX_FRAME + 1, 0);
    expect(() => new FrameReader().push(bad)).toThrow(/frame of 1048577 bytes/);
    bad.writeUInt32LE(2, 0);
    expect(() => new FrameReader().push(bad)).toThrow(/frame of 2 bytes/);
  });
});
