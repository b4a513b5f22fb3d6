/** Who wrote each byte of configuration space last, and when. */
import { ConfigWriter, type ConfigWritten } from '#contract/config.ts';

/** What the device's thread knows: it notes the driver's writes as it is told of them. */
export interface ConfigNotes {
  readonly configWriters: Uint8Array;
  readonly configTimes: Float64Array;
}

export class ConfigHistory {
  readonly powerOn: Uint8Array;
  readonly #bytes: Uint8Array;
  readonly #notes: ConfigNotes;
  #looked = 0;

  /** `powerOn`: the bytes before any driver saw the device. */
  constructor(powerOn: Uint8Array, notes: ConfigNotes) {
    this.powerOn = new Uint8Array(powerOn);
    this.#bytes = new Uint8Array(powerOn);
    this.#notes = notes;
  }

  /** Bytes that changed since the last look, and that nobody owned up to, are the driver's doing. */
  observe(bytes: Uint8Array, time: number): void {
    const { configWriters, configTimes } = this.#notes;
    for (let offset = 0; offset < bytes.length; offset++) {
      if (bytes[offset] === this.#bytes[offset]) continue;
      this.#bytes[offset] = bytes[offset]!;
      if (configWriters[offset] === ConfigWriter.driver && configTimes[offset]! >= this.#looked) continue;
      configWriters[offset] = ConfigWriter.driver;
      configTimes[offset] = time;
    }
    this.#looked = time;
  }

  /** A person wrote; `bytes` is configuration space afterwards. Only bytes that took the write count. */
  wrote(offset: number, width: number, bytes: Uint8Array, time: number): void {
    this.#take(offset, width, bytes, time, ConfigWriter.you);
  }

  /** The device itself changed its bytes, as a reset does. */
  changed(bytes: Uint8Array, time: number): void {
    this.#take(0, bytes.length, bytes, time, ConfigWriter.device);
  }

  #take(offset: number, width: number, bytes: Uint8Array, time: number, writer: number): void {
    for (let at = offset; at < offset + width; at++) {
      if (bytes[at] === this.#bytes[at]) continue;
      this.#bytes[at] = bytes[at]!;
      this.#notes.configWriters[at] = writer;
      this.#notes.configTimes[at] = time;
    }
    this.#looked = time;
  }

  writers(size: number): Uint8Array {
    return this.#notes.configWriters.subarray(0, size);
  }

  /** Bytes that are no longer as at power-on, neighbours with one writer and one time together. */
  written(size: number): ConfigWritten[] {
    const { configWriters, configTimes } = this.#notes;
    const runs: { offset: number; length: number; writer: number; time: number }[] = [];
    for (let offset = 0; offset < size; offset++) {
      const writer = configWriters[offset]!;
      if (writer === ConfigWriter.powerOn) continue;
      const time = configTimes[offset]!;
      const last = runs.at(-1);
      if (last?.writer === writer && last.time === time && last.offset + last.length === offset)
        last.length++;
      else runs.push({ offset, length: 1, writer, time });
    }
    return runs;
  }
}
