/** The frames between the host and the agent in the guest (kernel/guest/agent.mjs speaks the other end). */

export const HostFrame = { START: 1, STDIN: 2, STDIN_END: 3, KILL: 4, POWEROFF: 5 } as const;
export const GuestFrame = {
  HELLO: 64,
  STARTED: 65,
  STDOUT: 66,
  STDERR: 67,
  EXIT: 68,
  ERROR: 69,
  CREDIT: 70,
} as const;

export const FRAME_HEADER = 9;
export const MAX_FRAME = 1 << 20;
export const STDIN_CHUNK = 64 * 1024;
/** How much input may be on its way to one command. */
export const STDIN_CREDIT = 512 * 1024;

export interface Frame {
  type: number;
  id: number;
  payload: Buffer;
}

export function encodeFrame(type: number, id: number, payload: Uint8Array | string = ''): Buffer {
  const body = typeof payload === 'string' ? Buffer.from(payload) : payload;
  const frame = Buffer.allocUnsafe(FRAME_HEADER + body.length);
  frame.writeUInt32LE(FRAME_HEADER - 4 + body.length, 0);
  frame.writeUInt8(type, 4);
  frame.writeUInt32LE(id, 5);
  frame.set(body, FRAME_HEADER);
  return frame;
}

/** Cuts a byte stream back into frames, however it was split on the way. */
export class FrameReader {
  #pending: Buffer = Buffer.alloc(0);

  push(data: Buffer): Frame[] {
    this.#pending = this.#pending.length ? Buffer.concat([this.#pending, data]) : data;
    const frames: Frame[] = [];
    let at = 0;
    while (this.#pending.length - at >= FRAME_HEADER) {
      const length = this.#pending.readUInt32LE(at);
      if (length < FRAME_HEADER - 4 || length > MAX_FRAME) {
        throw new Error(`the guest sent a frame of ${length} bytes; at most ${MAX_FRAME} are accepted`);
      }
      if (this.#pending.length - at < 4 + length) break;
      frames.push({
        type: this.#pending.readUInt8(at + 4),
        id: this.#pending.readUInt32LE(at + 5),
        payload: this.#pending.subarray(at + FRAME_HEADER, at + 4 + length),
      });
      at += 4 + length;
    }
    this.#pending = this.#pending.subarray(at);
    return frames;
  }
}
