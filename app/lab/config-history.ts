/** Who wrote each byte of configuration space last, as far as the lab can see. */
import { ConfigWriter } from '#contract/config.ts';

export class ConfigHistory {
  readonly #bytes: Uint8Array;
  readonly #writers: Uint8Array;

  /** `powerOn`: the bytes before any driver saw the device. */
  constructor(powerOn: Uint8Array) {
    this.#bytes = new Uint8Array(powerOn);
    this.#writers = new Uint8Array(powerOn.length).fill(ConfigWriter.powerOn);
  }

  /** Bytes that changed since the last look, and not by us, are the driver's doing. */
  observe(bytes: Uint8Array): Uint8Array {
    for (let offset = 0; offset < bytes.length; offset++) {
      if (bytes[offset] !== this.#bytes[offset]) {
        this.#bytes[offset] = bytes[offset]!;
        this.#writers[offset] = ConfigWriter.driver;
      }
    }
    return this.#writers;
  }

  /** A person wrote; `bytes` is configuration space afterwards. Only bytes that took the write count. */
  wrote(offset: number, width: number, bytes: Uint8Array): void {
    for (let at = offset; at < offset + width; at++) {
      if (bytes[at] === this.#bytes[at]) continue;
      this.#bytes[at] = bytes[at]!;
      this.#writers[at] = ConfigWriter.you;
    }
  }
}
