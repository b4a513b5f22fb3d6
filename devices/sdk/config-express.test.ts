/** Bits as PCIe 5.0 numbers them (7.5.3), and which kinds of functions have which registers. */
import { describe, expect, it } from 'vitest';
import { type ConfigNode, decodeConfigSpace } from './config-decode.ts';

const AT = 0x40;

/** A space with a PCI Express capability; `words` by their offset in it. */
function express(capabilities: number, words: Readonly<Record<number, number>> = {}): ConfigNode {
  const bytes = new Uint8Array(256);
  const view = new DataView(bytes.buffer);
  bytes[6] = 0x10;
  bytes[0x34] = AT;
  bytes[AT] = 0x10;
  view.setUint16(AT + 2, capabilities, true);
  for (const [offset, value] of Object.entries(words)) view.setUint32(AT + Number(offset), value, true);
  return decodeConfigSpace(bytes)[1]!;
}
const register = (node: ConfigNode, name: string) => node.children!.find((one) => one.name === name);
/** Names of its bits that are set, the lowest first. */
const set = (node: ConfigNode, name: string) =>
  register(node, name)!
    .children!.filter(({ value }) => Number(value) !== 0)
    .map((one) => one.name);
const places = (node: ConfigNode, name: string) =>
  register(node, name)!
    .children!.filter(({ reserved }) => reserved !== true)
    .map(({ lsb, bits }) => [lsb! + bits! - 1, lsb]);

describe('PCI Express capability', () => {
  it('has names for every bit that is not reserved', () => {
    const node = express(0x0042);
    expect(places(node, 'Device Capabilities 2').slice(7)).toEqual([
      [10, 10],
      [11, 11],
      [13, 12],
      [15, 14],
      [16, 16],
      [17, 17],
      [19, 18],
      [20, 20],
      [21, 21],
      [23, 22],
      [25, 24],
      [26, 26],
      [28, 28],
      [30, 29],
      [31, 31],
    ]);
    const free = (name: string) =>
      register(node, name)!
        .children!.filter(({ reserved }) => reserved)
        .map(({ lsb, bits }) => [lsb! + bits! - 1, lsb]);
    expect(free('Device Control 2')).toEqual([]);
    expect(free('Link Control')).toEqual([[2, 2]]);
    expect(free('Link Status')).toEqual([[10, 10]]);
    expect(free('Link Control 2')).toEqual([]);
    expect(free('Link Status 2')).toEqual([[11, 11]]);
  });

  it('bits by their names', () => {
    const node = express(0x0002, { 16: 0xc000_0c00, 40: 0x9380, 48: 0x0060_0420 });
    expect(set(node, 'Link Control')).toEqual([
      'Link Bandwidth Management Interrupt Enable',
      'Link Autonomous Bandwidth Interrupt Enable',
    ]);
    expect(set(node, 'Link Status')).toEqual([
      'Link Bandwidth Management Status',
      'Link Autonomous Bandwidth Status',
    ]);
    expect(set(node, 'Device Control 2')).toEqual([
      'AtomicOp Egress Blocking',
      'IDO Request Enable',
      'IDO Completion Enable',
      '10-Bit Tag Requester Enable',
      'End-End TLP Prefix Blocking',
    ]);
    expect(set(node, 'Link Control 2')).toEqual([
      'Hardware Autonomous Speed Disable',
      'Enter Modified Compliance',
    ]);
    expect(set(node, 'Link Status 2')).toEqual([
      'Link Equalization Request 8.0 GT/s',
      'Retimer Presence Detected',
    ]);
  });

  it('slot and root registers are there where the kind of function has them', () => {
    const has = (capabilities: number) => {
      const node = express(capabilities);
      return ['Link Control', 'Slot Control', 'Root Control', 'Link Status 2', 'Slot Control 2'].map(
        (name) => register(node, name) !== undefined,
      );
    };
    expect(has(0x0002)).toEqual([true, false, false, true, false]); // endpoint
    expect(has(0x0102)).toEqual([true, false, false, true, false]);
    expect(has(0x0042)).toEqual([true, false, true, true, false]); // root port
    expect(has(0x0142)).toEqual([true, true, true, true, true]);
    expect(has(0x0162)).toEqual([true, true, false, true, true]); // downstream switch port
    expect(has(0x0092)).toEqual([false, false, false, false, false]); // root complex integrated endpoint
    expect(has(0x00a2)).toEqual([false, false, true, false, false]); // root complex event collector
  });

  it('the first version ends where its registers end', () => {
    expect(express(0x0001).length).toBe(0x14);
    expect(express(0x0161).length).toBe(0x1c);
    expect(express(0x0141).length).toBe(0x24);
    expect(express(0x0002).length).toBe(0x3c);
  });

  it('a slot tells what is in it', () => {
    const node = express(0x0162, { 20: 0x0008_0040, 24: 0x0040_0080 });
    expect(set(node, 'Slot Capabilities')).toEqual(['Hot-Plug Capable', 'Physical Slot Number']);
    const state = register(node, 'Slot Status')!.children!.find(
      ({ name }) => name === 'Presence Detect State',
    );
    expect(state?.text).toBe('present');
    const light = register(node, 'Slot Control')!.children!.find(
      ({ name }) => name === 'Attention Indicator Control',
    );
    expect(light?.text).toBe('blinking');
  });
});

describe('capabilities of the old list', () => {
  const space = (bytes: readonly number[], type = 0) => {
    const all = new Uint8Array(256);
    all[6] = 0x10;
    all[0x0e] = type;
    all[0x34] = AT;
    all.set(bytes, AT);
    return decodeConfigSpace(all)[1]!;
  };

  it('VPD and Advanced Features', () => {
    const vpd = space([0x03, 0, 0x10, 0x80, 1, 2, 3, 4]);
    expect(vpd).toMatchObject({ name: 'Vital Product Data Capability', length: 8 });
    expect(set(vpd, 'VPD Address')).toEqual(['VPD Address', 'F']);
    expect(register(vpd, 'VPD Data')!.value).toBe('0x04030201');
    const advanced = space([0x13, 0, 6, 3, 0, 1]);
    expect(advanced.length).toBe(6);
    expect(set(advanced, 'AF Capabilities')).toEqual([
      'Transactions Pending Supported',
      'Function Level Reset Supported',
    ]);
    expect(set(advanced, 'AF Status')).toEqual(['Transactions Pending']);
  });

  it('leaves out what lies behind the 256 bytes', () => {
    const bytes = new Uint8Array(4096);
    bytes[6] = 0x10;
    bytes[0x34] = 0xf8;
    bytes.set([0x10, 0, 0x42, 1], 0xf8);
    const node = decodeConfigSpace(bytes)[1]!;
    expect(node).toMatchObject({ offset: 0xf8, length: 8 });
    expect(node.children!.at(-1)!.name).toBe('Device Capabilities');
  });

  it('Enhanced Allocation: entries of 32 and of 64 bits', () => {
    const entry = [0x02, 0xff, 0x01, 0x80, 0x00, 0x00, 0x10, 0xfe, 0xfc, 0x0f, 0x00, 0x00];
    const wide = [0x14, 0x01, 0xff, 0x80, 0x02, 0, 0, 0, 0xfe, 0xff, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0];
    const node = space([0x14, 0, 2, 0, ...entry, ...wide]);
    expect(node.length).toBe(4 + 12 + 20);
    expect(register(node, 'Entry 0')!.children!.find(({ name }) => name === 'Primary Properties')?.text).toBe(
      'not available',
    );
    expect(register(node, 'Base 1')!.offset).toBe(AT + 20);
    expect(register(node, 'Base 1 Upper 32 Bits')!.value).toBe('0x00000001');
    expect(register(node, 'MaxOffset 1 Upper 32 Bits')!.value).toBe('0x00000002');
    const bridge = space([0x14, 0, 0, 0, 3, 4], 1);
    expect(register(bridge, 'Fixed Subordinate Bus Number')!.value).toBe('0x04');
  });
});

it('a type 1 header tells its buses and windows', () => {
  const bytes = new Uint8Array(64);
  bytes[0x0e] = 1;
  bytes.set([0, 1, 5, 0, 0xd1, 0xd1], 0x18);
  bytes.set([0x00, 0xfe, 0x10, 0xfe, 0xf1, 0xff, 0x01, 0x00], 0x20);
  bytes.set([0, 0, 0, 0, 0, 0, 0, 0], 0x28);
  bytes[0x3e] = 0x42;
  const header = decodeConfigSpace(bytes)[0]!;
  expect(header.name).toBe('Type 1 Header');
  expect(register(header, 'Subordinate Bus Number')!.value).toBe('0x05');
  expect(register(header, 'I/O Base')!.text).toBe('0x0000d000 to 0x0000dfff');
  expect(register(header, 'Memory Base')!.text).toBe('0xfe000000 to 0xfe1fffff');
  expect(register(header, 'Prefetchable Memory Base')!.text).toBe('no window');
  expect(set(header, 'Bridge Control')).toEqual(['SERR# Enable', 'Secondary Bus Reset']);
  expect(header.children!.filter(({ name }) => name.startsWith('Base Address'))).toHaveLength(2);
});
