import { describe, expect, it } from 'vitest';
import { nvmeModel } from '../nvme/model.ts';
import { buildConfigSpace, CapabilityId, ConfigOffset } from '../sdk/config-space.ts';
import { checkOptions, OptionError } from '../sdk/options.ts';
import { cloneConfig } from './config.ts';
import { cloneModel } from './model.ts';

const options = checkOptions(nvmeModel, { size: '16MiB' });
if (!options.ok) throw new Error('the disk has no such options');
const disk = nvmeModel.describe(options.values);

/** The disk's configuration space as a driver leaves it. */
function live(): Uint8Array {
  const config = buildConfigSpace(disk);
  config.write(ConfigOffset.bar0, 4, 0xf7d1_0000);
  config.write(ConfigOffset.bar0 + 4, 4, 0x40);
  config.write(ConfigOffset.command, 2, 6);
  config.write(config.find(CapabilityId.msix) + 2, 2, 0x8000);
  return config.bytes;
}
const hex = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');

describe('a clone of a live function', () => {
  it('is what the function was at power-on, byte by byte', () => {
    const clone = cloneConfig(live(), [disk.bars[0]!.size]);
    const original = buildConfigSpace(disk);
    expect(hex(clone.config.bytes)).toBe(hex(original.bytes));
    expect(hex(clone.config.writable)).toBe(hex(original.writable));
    expect(hex(clone.config.clearable)).toBe(hex(original.clearable));
    expect(clone.identity).toEqual(disk.identity);
    expect(clone.vectors).toBe(disk.vectorNames.length);
  });

  it('has a BAR as large as its address allows where nobody tells, and holds its MSI-X table', () => {
    const [bar] = cloneConfig(live(), []).bars;
    expect(bar).toMatchObject({ index: 0, size: 0x1_0000, memory64: true });
  });

  it('is 256 bytes long when only the header was printed, without capabilities', () => {
    const clone = cloneConfig(live().slice(0, 64), []);
    expect(clone.config.bytes).toHaveLength(256);
    expect(clone.capabilities).toEqual([]);
    expect(clone.config.bytes[ConfigOffset.status]! & 0x10).toBe(0);
  });

  it('leaves I/O space out', () => {
    const bytes = live();
    bytes.set([0x01, 0xe0, 0, 0], ConfigOffset.bar0 + 8);
    const clone = cloneConfig(bytes, []);
    expect(clone.bars.map(({ index }) => index)).toEqual([0]);
    expect([...clone.config.bytes.subarray(0x18, 0x1c)]).toEqual([0, 0, 0, 0]);
  });

  it.each([
    ['no device', (bytes: Uint8Array) => bytes.fill(0xff, 0, 2), /vendor ID 0xffff is no device's/],
    ['a bridge', (bytes: Uint8Array) => bytes.fill(1, 0x0e, 0x0f), /header type 1 is a bridge's/],
    [
      'an MSI-X table in a BAR that is not there',
      (bytes: Uint8Array) => bytes.fill(7, 0x40).fill(0x11, 0x40, 0x41).fill(0, 0x41, 0x42),
      /MSI-X table is in BAR 7/,
    ],
  ])('refuses %s', (_, spoil, message) => {
    const bytes = live();
    bytes[ConfigOffset.capabilities] = 0x40;
    spoil(bytes);
    expect(() => cloneConfig(bytes, [])).toThrow(message);
  });

  it('takes any bytes that begin like an endpoint', () => {
    let state = 7;
    for (let round = 0; round < 400; round++) {
      const noise = Uint8Array.from({ length: [64, 256, 4096][round % 3]! }, () => {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        return state >>> 24;
      });
      noise[0x0e] = 0;
      try {
        const { config } = cloneConfig(noise, []);
        expect([256, 4096]).toContain(config.bytes.length);
      } catch (error) {
        expect((error as Error).message).toMatch(/BAR|vendor/);
      }
    }
  });
});

describe('the model', () => {
  const checked = (input: Record<string, unknown>) => {
    const result = checkOptions(cloneModel, input);
    if (!result.ok) throw new Error(result.errors.map(({ message }) => message).join());
    return result.values;
  };

  it('needs a dump, and says what one is', () => {
    expect(() => checked({})).toThrow('Configuration space: it is needed');
    expect(() => checked({ dump: '00ff' })).toThrow('accepted are 64, 256 or 4096 bytes');
  });

  it('describes the device', () => {
    const description = cloneModel.describe(checked({ dump: hex(live()), barSizes: '0=64KiB' }));
    expect(description.title).toBe('Clone of 1f0c:0010');
    expect(description.bars).toMatchObject([{ index: 0, size: 65536, title: 'Memory of BAR 0' }]);
  });

  it.each([['0=3KiB'], ['9=4KiB'], ['0'], ['0=lots']])('refuses %s as sizes', (barSizes) => {
    try {
      cloneModel.describe(checked({ dump: hex(live()), barSizes }));
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(OptionError);
      expect((error as OptionError).field).toBe('barSizes');
    }
  });
});
