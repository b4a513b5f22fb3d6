/**
 * Messages between window and lab, the same over a WebSocket and over a MessagePort: text for JSON, an ArrayBuffer
 * where bytes travel with it.
 *
 * Binary frame: u32 length of the JSON head (little endian), the head in UTF-8, zero padding to 8 bytes, the bytes.
 */

/** Longest text or binary message that the lab accepts, in bytes. */
export const MAX_MESSAGE_BYTES = 1024 * 1024;

export interface ErrorBody {
  /** Stable name, such as `NO_SUCH_DEVICE`. */
  readonly code: string;
  /** What was wrong and what is accepted. */
  readonly message: string;
  /** What a person can do about it. */
  readonly hint?: string;
  /** The option that is wrong, where one is. */
  readonly field?: string;
}

export type ClientMessage =
  | { readonly id: number; readonly call: string; readonly params: unknown }
  /** The window has handled the last message of a stream and can take another. */
  | { readonly ack: string };

export type ServerHead =
  | { readonly id: number; readonly ok: unknown }
  | { readonly id: number; readonly error: ErrorBody }
  | { readonly stream: string; readonly data: unknown };

export interface ServerMessage {
  readonly head: ServerHead;
  readonly bytes: Uint8Array | undefined;
}

// In browsers and in Node alike; neither's types are wanted here.
declare const TextEncoder: new () => { encode(text: string): Uint8Array };
declare const TextDecoder: new () => { decode(bytes: Uint8Array): string };

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function encodeServerMessage(head: ServerHead, bytes?: Uint8Array): string | ArrayBuffer {
  const text = JSON.stringify(head);
  if (bytes === undefined) return text;
  const encoded = encoder.encode(text);
  const start = (4 + encoded.length + 7) & ~7;
  const frame = new Uint8Array(start + bytes.length);
  new DataView(frame.buffer).setUint32(0, encoded.length, true);
  frame.set(encoded, 4);
  frame.set(bytes, start);
  return frame.buffer;
}

export function decodeServerMessage(message: string | ArrayBuffer): ServerMessage {
  if (typeof message === 'string') return { head: JSON.parse(message) as ServerHead, bytes: undefined };
  const length = new DataView(message).getUint32(0, true);
  const head = JSON.parse(decoder.decode(new Uint8Array(message, 4, length))) as ServerHead;
  return { head, bytes: new Uint8Array(message, (4 + length + 7) & ~7) };
}

/** Either end of a connection. */
export interface Channel {
  send(message: string | ArrayBuffer): void;
  onMessage(listener: (message: string | ArrayBuffer) => void): void;
  onClose(listener: () => void): void;
  /** `reason`: what the other end is told, where the channel can carry it. */
  close(reason?: string): void;
}
