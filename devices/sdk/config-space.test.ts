// PCI 3.0, 6.1 and 6.2.5; PCIe 5.0, 7.5 and 7.7.
import { describe, expect, it } from 'vitest';
import { type ConfigNode, decodeConfigSpace } from './config-decode.ts';
import { buildConfigSpace, CapabilityId, ConfigSpace } from './config-space.ts';
import type { BarDescription, CapabilityDescription, DeviceDescription } from './device.ts';
import { formatLspci, parseLspci } from './lspci-text.ts';

const bar = (index: number, size: number, memory64 = false, prefetchable = false): BarDescription => ({
  index,
  size,
  memory64,
  prefetchable,
  title: '',
  trace: { reads: false, writes: false, stopWrites: false },
  registers: [],
});

function describeDevice(
  capabilities: readonly CapabilityDescription[],
  bars: readonly BarDescription[] = [
    bar(0, 0x4000, true),
    bar(2, 2 ** 20, false, true),
    bar(4, 2 ** 33, true, true),
  ],
): DeviceDescription {
  return {
    model: 'test',
    title: 'Test',
    identity: {
      vendorId: 0x1f0c,
      deviceId: 0x1234,
      subsystemVendorId: 0xabcd,
      subsystemId: 0x4321,
      revision: 7,
      classCode: 0x010802,
    },
    bars,
    capabilities,
    vectorNames: ['one'],
  };
}

const all: readonly CapabilityDescription[] = [
  { kind: 'pm' },
  { kind: 'pcie' },
  { kind: 'msi', vectors: 8, address64: true, masking: true },
  { kind: 'msix', vectors: 65, tableBar: 0, tableOffset: 0x2000, pbaBar: 0, pbaOffset: 0x3000 },
];

describe('the header', () => {
  const config = buildConfigSpace(describeDevice(all));
  it('identifies the function, read-only', () => {
    for (let at = 0; at < 0x10; at += 4) if (at !== 4) config.write(at, 4, 0xffff_ffff);
    expect(config.read(0, 4)).toBe(0x1234_1f0c);
    expect(config.read(8, 4)).toBe(0x0108_0207);
    expect(config.read(0x0e, 1)).toBe(0);
    expect(config.read(0x2c, 4)).toBe(0x4321_abcd);
    expect(config.read(0x3d, 1)).toBe(1);
  });

  it('answers size probing (6.2.5.1)', () => {
    const probe = (index: number) => {
      config.write(0x10 + index * 4, 4, 0xffff_ffff);
      return config.read(0x10 + index * 4, 4);
    };
    expect(probe(0)).toBe(0xffff_c004);
    expect(probe(1)).toBe(0xffff_ffff);
    expect(probe(2)).toBe(0xfff0_0008);
    expect(probe(3)).toBe(0);
    expect(probe(4)).toBe(0x0000_000c);
    expect(probe(5)).toBe(0xffff_fffe);
    config.write(0x10, 4, 0xfebf_1234);
    expect(config.read(0x10, 4)).toBe(0xfebf_0004);
  });

  it('keeps the writable bits of Command, clears error bits of Status by 1', () => {
    config.write(4, 2, 0xffff);
    expect(config.read(4, 2)).toBe(0x0546);
    config.poke(6, 2, 0xf910);
    config.write(6, 2, 0x8000);
    expect(config.read(6, 2)).toBe(0x7910);
    config.write(6, 2, 0x00ff);
    expect(config.read(6, 2)).toBe(0x7910);
  });

  it('takes 1, 2 and 4 aligned bytes; nothing else reads as all ones', () => {
    expect(config.read(0x101, 2)).toBe(0xffff);
    expect(config.read(4096, 4)).toBe(0xffff_ffff);
    expect(config.read(-4, 4)).toBe(0xffff_ffff);
    expect(config.read(0, 3)).toBe(0xff_ffff);
    expect(config.write(2, 4, 0)).toBe(false);
    config.write(0x3c, 1, 0x2b);
    expect(config.read(0x3c, 4)).toBe(0x0000_012b);
  });

  it('resets to what power-on gave', () => {
    config.reset();
    expect(config.bytes).toEqual(buildConfigSpace(describeDevice(all)).bytes);
  });
});

describe('capabilities', () => {
  const config = buildConfigSpace(describeDevice(all));
  it('are linked in order, four bytes aligned', () => {
    const found: number[] = [];
    for (let at = config.read(0x34, 1); at !== 0; at = config.read(at + 1, 1)) {
      expect(at % 4).toBe(0);
      found.push(config.read(at, 1));
    }
    expect(found).toEqual([1, 16, 5, 17]);
    expect(config.size).toBe(4096);
    expect(buildConfigSpace(describeDevice([{ kind: 'pm' }])).size).toBe(256);
  });

  it('MSI: enable, multiple message enable, address and mask are written', () => {
    const at = config.find(CapabilityId.msi);
    config.write(at + 2, 2, 0xffff);
    expect(config.read(at + 2, 2)).toBe(0x0080 | 0x0100 | (3 << 1) | 0x71);
    config.write(at + 4, 4, 0xffff_ffff);
    config.write(at + 16, 4, 0xffff_ffff);
    config.write(at + 20, 4, 0xffff_ffff);
    expect(config.read(at + 4, 4)).toBe(0xffff_fffc);
    expect(config.read(at + 16, 4)).toBe(0xff);
    expect(config.read(at + 20, 4)).toBe(0);
  });

  it('MSI-X: enable and function mask are written, the places are not', () => {
    const at = config.find(CapabilityId.msix);
    config.write(at + 2, 2, 0xffff);
    config.write(at + 4, 4, 0);
    expect(config.read(at + 2, 2)).toBe(0xc040);
    expect(config.read(at + 4, 4)).toBe(0x2000);
    expect(config.read(at + 8, 4)).toBe(0x3000);
  });

  it.each([
    [
      [{ kind: 'msix', vectors: 65, tableBar: 0, tableOffset: 0x3fc0, pbaBar: 0, pbaOffset: 0 }],
      /MSI-X table: 1040/,
    ],
    [
      [{ kind: 'msix', vectors: 1, tableBar: 3, tableOffset: 0, pbaBar: 0, pbaOffset: 0 }],
      /there is no BAR 3/,
    ],
    [
      [{ kind: 'msix', vectors: 1, tableBar: 0, tableOffset: 4, pbaBar: 0, pbaOffset: 0 }],
      /not inside BAR 0/,
    ],
    [
      [{ kind: 'msix', vectors: 4096, tableBar: 0, tableOffset: 0, pbaBar: 0, pbaOffset: 0 }],
      /accepted are 1 to 2048/,
    ],
    [[{ kind: 'msi', vectors: 3, address64: true, masking: false }], /accepted are 1, 2, 4/],
    [Array.from({ length: 5 }, () => ({ kind: 'pcie' })), /do not fit/],
  ])('refuses %j', (capabilities, message) => {
    expect(() => buildConfigSpace(describeDevice(capabilities as CapabilityDescription[]))).toThrow(message);
  });

  it.each([
    [[bar(5, 4096, true)], /BAR 5 does not exist; accepted are 0 to 4/],
    [[bar(0, 4096, true), bar(1, 4096)], /BAR 1 is used twice/],
    [[bar(0, 5000)], /5000 bytes is no size/],
    [[bar(0, 2 ** 32)], /no size of a BAR/],
  ])('refuses BARs that cannot be', (bars, message) => {
    expect(() => buildConfigSpace(describeDevice([], bars))).toThrow(message);
  });
});

describe('the decoded tree', () => {
  const config = buildConfigSpace(describeDevice(all));
  const tree = decodeConfigSpace(config.bytes);
  const find = (nodes: readonly ConfigNode[], path: readonly string[]): ConfigNode | undefined => {
    const node = nodes.find(({ name }) => name === path[0]);
    return path.length === 1 || node === undefined ? node : find(node.children ?? [], path.slice(1));
  };

  it('has header and capabilities in list order', () => {
    expect(tree.map(({ name }) => name)).toEqual([
      'Type 0 Header',
      'Power Management Capability',
      'PCI Express Capability',
      'MSI Capability',
      'MSI-X Capability',
    ]);
  });

  it('names values', () => {
    expect(find(tree, ['Type 0 Header', 'Class Code'])).toMatchObject({
      offset: 9,
      length: 3,
      value: '0x010802',
      text: 'Non-volatile memory controller, NVM Express',
    });
    expect(find(tree, ['Type 0 Header', 'Base Address 4'])?.text).toBe(
      '64-bit memory, prefetchable at 0x0000000000000000',
    );
    expect(find(tree, ['Type 0 Header', 'Base Address 5'])?.text).toBe('upper half of base address 4');
    expect(find(tree, ['MSI-X Capability'])?.text).toBe('65 vectors, off');
    expect(find(tree, ['MSI-X Capability', 'Message Control', 'Table Size'])).toMatchObject({
      value: '0x040',
      lsb: 0,
      bits: 11,
    });
    expect(find(tree, ['PCI Express Capability', 'Link Status', 'Current Link Speed'])?.text).toBe('8 GT/s');
  });

  it('keeps every node inside the space and every field inside its register', () => {
    const visit = (node: ConfigNode) => {
      expect(node.offset + node.length).toBeLessThanOrEqual(4096);
      if (node.bits !== undefined) expect(node.lsb! + node.bits).toBeLessThanOrEqual(node.length * 8);
      node.children?.forEach(visit);
    };
    tree.forEach(visit);
  });

  it('shows unknown, vendor-specific and extended capabilities', () => {
    const bytes = new Uint8Array(4096);
    bytes[6] = 0x10;
    bytes[0x34] = 0x40;
    bytes.set([0x09, 0x50, 0x08, 1, 2, 3, 4, 5], 0x40);
    bytes.set([0xee, 0x00, 0x77, 0x66], 0x50);
    bytes.set([0x03, 0x00, 0x81, 0x14, 1, 2, 3, 4], 0x100); // serial number, version 1, next 148h
    bytes.set([0x99, 0x09, 0x02, 0x00], 0x148);
    const nodes = decodeConfigSpace(bytes);
    expect(nodes.map(({ name, offset }) => [name, offset])).toEqual([
      ['Type 0 Header', 0],
      ['Vendor Specific Capability', 0x40],
      ['Unknown (0xee) Capability', 0x50],
      ['Device Serial Number Extended Capability', 0x100],
      ['Unknown (0x0999) Extended Capability', 0x148],
    ]);
    expect(
      find(nodes, [
        'Device Serial Number Extended Capability',
        'Extended Capability Header',
        'Next Capability Offset',
      ])?.value,
    ).toBe('0x148');
    expect(find(nodes, ['Vendor Specific Capability', 'Length'])?.value).toBe('0x08');
  });

  it('ends at lists that go round or into the header, and takes any bytes', () => {
    const bytes = new Uint8Array(256);
    bytes[6] = 0x10;
    bytes[0x34] = 0x40;
    bytes.set([0x01, 0x48], 0x40);
    bytes.set([0x05, 0x40], 0x48);
    expect(decodeConfigSpace(bytes).at(-1)).toMatchObject({ name: 'Broken list', offset: 0x40 });
    bytes[0x49] = 0x04;
    expect(decodeConfigSpace(bytes).at(-1)?.text).toMatch(/into the header/);
    let state = 1;
    for (let round = 0; round < 300; round++) {
      const noise = Uint8Array.from({ length: [64, 256, 4096][round % 3]! }, () => {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        return state >>> 24;
      });
      expect(decodeConfigSpace(noise).length).toBeGreaterThan(0);
    }
    expect(decodeConfigSpace(new Uint8Array(4096).fill(0xff)).length).toBeGreaterThan(0);
  });
});

describe('lspci text', () => {
  const { bytes } = buildConfigSpace(describeDevice(all));
  it('comes back as it was', () => {
    const functions = [
      { address: '10000:00:00.0', title: 'NVMe disk', bytes },
      { address: '01:00.1', title: 'Other', bytes: bytes.slice(0, 256) },
    ];
    const parsed = parseLspci(formatLspci(functions));
    const barSizes = [0, 0, 0, 0, 0, 0];
    expect(parsed).toEqual({ ok: true, functions: functions.map((one) => ({ ...one, barSizes })) });
  });

  it('is as lspci writes it', () => {
    const lines = formatLspci([{ address: '0000:00:1f.3', title: 'A', bytes }]).split('\n');
    expect(lines[0]).toBe('0000:00:1f.3 A');
    expect(lines[1]).toBe('00: 0c 1f 34 12 00 00 10 00 07 02 08 01 00 00 00 00');
    expect(lines[17]).toMatch(/^100: 00 00/);
    expect(lines[256]).toMatch(/^ff0: /);
  });

  it('passes over the lines of -v', () => {
    const text = '00:02.0 VGA: Some\tchip (rev 0b)\n\tSubsystem: X\n\tCapabilities: [40] Y\n00: 01 02';
    const rows = Array.from(
      { length: 4 },
      (_, i) => `${(i * 16).toString(16).padStart(2, '0')}:${' 00'.repeat(16)}`,
    );
    const parsed = parseLspci(`${text.split('\n').slice(0, 3).join('\n')}\n${rows.join('\n')}\n`);
    expect(parsed.ok && parsed.functions[0]!.bytes.length).toBe(64);
  });

  it.each([
    ['', 1, /no device found/],
    ['hello', 1, /no device found/],
    ['00: 00 00', 1, /without a device/],
    ['01:00.0 X\n10: 00 00', 2, /offset 10 is out of order; 0 is expected/],
    ['01:00.0 X\n00: 00 0g', 2, /two hexadecimal digits/],
    ['01:00.0 X\n00: 00 00', 1, /has 2 bytes of configuration space; accepted are 64/],
  ])('says what is wrong with %j', (text, line, message) => {
    const parsed = parseLspci(text);
    expect(parsed.ok).toBe(false);
    if (parsed.ok) return;
    expect(parsed.line).toBe(line);
    expect(parsed.message).toMatch(message);
  });
});

it('a configuration space over shared memory behaves as its masks say', () => {
  const built = buildConfigSpace(describeDevice(all));
  const config = new ConfigSpace(new Uint8Array(built.bytes), built.writable, built.clearable);
  config.write(4, 2, 6);
  expect(config.read(4, 2)).toBe(6);
});
