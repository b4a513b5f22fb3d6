/** Bits as PCIe 5.0 numbers them; the texts agree with what `lspci -vvv` prints of the same bytes. */
import { describe, expect, it } from 'vitest';
import { type ConfigNode, decodeConfigSpace } from './config-decode.ts';
import { ExtendedId } from './config-extended.ts';

const NAMES: Readonly<Record<string, string>> = {
  aer: 'Advanced Error Reporting',
  serialNumber: 'Device Serial Number',
  vendorSpecific: 'Vendor-Specific Extended',
  acs: 'Access Control Services',
  ari: 'Alternative Routing-ID Interpretation',
  ats: 'Address Translation Services',
  sriov: 'Single Root I/O Virtualization',
  pri: 'Page Request Interface',
  ltr: 'Latency Tolerance Reporting',
  pasid: 'Process Address Space ID',
  l1pm: 'L1 PM Substates',
  ptm: 'Precision Time Measurement',
  virtualChannel: 'Virtual Channel',
  virtualChannelMfvc: 'Virtual Channel (MFVC)',
  powerBudgeting: 'Power Budgeting',
  resizableBar: 'Resizable BAR',
  resizableVfBar: 'VF Resizable BAR',
  tph: 'TPH Requester',
  secondary: 'Secondary PCI Express',
  dpc: 'Downstream Port Containment',
  designated: 'Designated Vendor-Specific',
  dataLink: 'Data Link Feature',
  physical16: 'Physical Layer 16.0 GT/s',
  physical32: 'Physical Layer 32.0 GT/s',
  margining: 'Lane Margining at the Receiver',
};

/** A space whose only extended capability is this one; `words` from behind its header. */
function space(id: number, words: readonly number[], portType = 0, lanes = 1): Uint8Array {
  const bytes = new Uint8Array(4096);
  const view = new DataView(bytes.buffer);
  view.setUint16(0x06, 0x10, true);
  bytes[0x34] = 0x40;
  bytes.set([0x10, 0, 2 | (portType << 4)], 0x40);
  view.setUint16(0x4c, 5 | (lanes << 4), true);
  view.setUint32(0x100, id | 0x1_0000, true);
  words.forEach((word, at) => {
    view.setUint32(0x104 + at * 4, word, true);
  });
  return bytes;
}

function capability(id: number, words: readonly number[], portType = 0, lanes = 1): ConfigNode {
  return decodeConfigSpace(space(id, words, portType, lanes)).at(-1)!;
}

/** `Register.Field`, or `Register` alone. */
function at(node: ConfigNode, path: string): ConfigNode {
  const found = node.children?.find(({ name }) => path === name || path.startsWith(`${name}/`));
  const name = path.slice((found?.name.length ?? 0) + 1);
  const result = name === '' ? found : found?.children?.find((child) => child.name === name);
  if (result === undefined) throw new Error(`there is no ${path} in ${node.name}`);
  return result;
}

describe('extended capabilities', () => {
  it.each(Object.entries(ExtendedId))('%s has its name, and no two registers overlap', (name, id) => {
    const node = capability(id, []);
    expect(node.name).toBe(`${NAMES[name]} Extended Capability`);
    let next = 0x100;
    for (const { offset, length } of node.children ?? []) {
      expect(offset).toBeGreaterThanOrEqual(next);
      next = offset + length;
    }
    expect(next).toBeLessThanOrEqual(node.offset + node.length);
    expect(node.children!.length).toBeGreaterThan(1);
  });

  it('AER', () => {
    const node = capability(ExtendedId.aer, [1 << 20, 0, 0x0046_2030, 1 << 13, 0xe000, 0xa0 | 20]);
    expect(node).toMatchObject({ length: 0x2c, text: 'Unsupported Request Error, Advisory Non-Fatal Error' });
    expect(at(node, 'Uncorrectable Error Status/Unsupported Request Error Status')).toMatchObject({
      value: '0x1',
      lsb: 20,
    });
    expect(at(node, 'Uncorrectable Error Severity/Surprise Down Error Severity').text).toBe('fatal');
    expect(at(node, 'Uncorrectable Error Severity/Completer Abort Severity').text).toBe('non-fatal');
    expect(at(node, 'Correctable Error Mask/Corrected Internal Error Mask').value).toBe('0x1');
    expect(at(node, 'Advanced Error Capabilities and Control/First Error Pointer').value).toBe('0x14');
    expect(at(node, 'Advanced Error Capabilities and Control/ECRC Check Capable').value).toBe('0x1');
    expect(at(node, 'Header Log 4').offset).toBe(0x128);
    expect(() => at(node, 'Root Error Command')).toThrow();
    expect(capability(ExtendedId.aer, []).text).toBe('no error reported');
  });

  it('AER of a root port, and with a prefix log', () => {
    const root = capability(ExtendedId.aer, [...Array(11).fill(0), 0x1000_0004], 4);
    expect(root.length).toBe(0x38);
    expect(at(root, 'Root Error Status/Advanced Error Interrupt Message Number').value).toBe('0x02');
    const prefix = capability(ExtendedId.aer, [0, 0, 0, 0, 0, 1 << 11]);
    expect(prefix.length).toBe(0x48);
    expect(at(prefix, 'TLP Prefix Log 1').offset).toBe(0x138);
  });

  it('a serial number reads from its highest byte', () => {
    const node = capability(ExtendedId.serialNumber, [0xff03_0201, 0x0025_90ff]);
    expect(node).toMatchObject({ length: 12, text: '00-25-90-ff-ff-03-02-01' });
    expect(at(node, 'Serial Number Register (Upper DW)').value).toBe('0x002590ff');
  });

  it('vendor-specific: as long as it says', () => {
    const node = capability(ExtendedId.vendorSpecific, [0x0142_cafe, 0x1111_1111, 0x2222_2222]);
    expect(node).toMatchObject({ length: 0x14, text: 'ID cafe, 20 bytes' });
    expect(at(node, 'Vendor-Specific Header/VSEC Rev').value).toBe('0x2');
    expect(at(node, 'Bytes 0x108').value).toBe('0x11111111');
    expect(at(node, 'Bytes 0x110').value).toBe('0x00000000');
  });

  it('ACS, and its vector where it has one', () => {
    const node = capability(ExtendedId.acs, [0x001d_005f]);
    expect(node.length).toBe(8);
    expect(at(node, 'ACS Capability/ACS Upstream Forwarding').value).toBe('0x1');
    expect(at(node, 'ACS Control/ACS Translation Blocking Enable').text).toBe('off');
    expect(at(node, 'ACS Control/ACS P2P Completion Redirect Enable').text).toBe('on');
    expect(capability(ExtendedId.acs, [0x2120]).length).toBe(8 + 8);
    expect(capability(ExtendedId.acs, [0x0020]).length).toBe(8 + 32);
  });

  it('SR-IOV', () => {
    const node = capability(ExtendedId.sriov, [2, 0x9, 0x0040_0040, 8, 0x0002_0080, 0x154c_0000, 0x553, 1]);
    expect(node).toMatchObject({ length: 0x40, text: '8 of 64 virtual functions, enabled' });
    expect(at(node, 'SR-IOV Control/VF MSE').text).toBe('on');
    expect(at(node, 'First VF Offset').value).toBe('0x0080');
    expect(at(node, 'VF Stride').value).toBe('0x0002');
    expect(at(node, 'VF Device ID').value).toBe('0x154c');
    expect(at(node, 'VF BAR5').offset).toBe(0x138);
  });

  it('LTR, PASID, ATS, ARI, PRI, PTM', () => {
    const ltr = capability(ExtendedId.ltr, [0x1003_0c05]);
    expect(at(ltr, 'Max Snoop Latency/Max Snoop LatencyScale').text).toBe('32768 ns');
    expect(at(ltr, 'Max No-Snoop Latency/Max No-Snoop LatencyValue').value).toBe('0x003');
    const pasid = capability(ExtendedId.pasid, [0x0001_1406]);
    expect(pasid.text).toBe('enabled');
    expect(at(pasid, 'PASID Capability/Max PASID Width').value).toBe('0x14');
    const ats = capability(ExtendedId.ats, [0x8005_0020]);
    expect(ats.text).toBe('enabled');
    expect(at(ats, 'ATS Capability/Invalidate Queue Depth').text).toBe('32');
    expect(at(ats, 'ATS Control/Smallest Translation Unit').value).toBe('0x05');
    expect(at(capability(ExtendedId.ari, [0x0100]), 'ARI Capability/Next Function Number').value).toBe(
      '0x01',
    );
    const pri = capability(ExtendedId.pri, [0x8100_0000, 0x200]);
    expect(at(pri, 'Page Request Status/Stopped').value).toBe('0x1');
    expect(at(pri, 'Outstanding Page Request Capacity').value).toBe('0x00000200');
    expect(at(capability(ExtendedId.ptm, [0x0a07]), 'PTM Capability/Local Clock Granularity').value).toBe(
      '0x0a',
    );
  });

  it('L1 PM substates', () => {
    const node = capability(ExtendedId.l1pm, [0x0028_0a1f, 0x4000_0a0f, 0x29]);
    expect(at(node, 'L1 PM Substates Capabilities/Port T_POWER_ON Value').value).toBe('0x05');
    expect(at(node, 'L1 PM Substates Control 1/LTR_L1.2_THRESHOLD_Scale').text).toBe('1024 ns');
    expect(at(node, 'L1 PM Substates Control 2/T_POWER_ON Scale').text).toBe('10 us');
    expect(at(node, 'L1 PM Substates Control 2/T_POWER_ON Value').value).toBe('0x05');
  });

  it('a resizable BAR tells its size', () => {
    // Two of them: BAR 0 has 256 MiB (2^28), BAR 2 has 16 GiB (2^34).
    const node = capability(ExtendedId.resizableBar, [0x0000_1f00, 0x0000_0840, 0x0003_fff0, 0x0000_0e02]);
    expect(node).toMatchObject({ length: 20, text: 'BAR 0: 256 MiB, BAR 2: 16 GiB' });
    expect(at(node, 'Resizable BAR Control 0/Number of Resizable BARs').value).toBe('0x2');
    expect(at(node, 'Resizable BAR Control 1/BAR Size').text).toBe('16 GiB');
    expect(at(node, 'Resizable BAR Capability 1').offset).toBe(0x10c);
    expect(capability(ExtendedId.resizableVfBar, [0x10, 0x20]).text).toBe('VF BAR 0: 1 MiB');
  });

  it('per-lane registers are as many as the link has lanes', () => {
    const secondary = capability(ExtendedId.secondary, [0x0001, 0x2, 0x7f43_2187, 0x7f7f_7f7f], 0, 4);
    expect(secondary.length).toBe(0x0c + 8);
    expect(at(secondary, 'Link Control 3/Perform Equalization').value).toBe('0x1');
    expect(
      at(secondary, 'Lane 0 Equalization Control/Downstream Port 8.0 GT/s Receiver Preset Hint').value,
    ).toBe('0x0');
    expect(at(secondary, 'Lane 1 Equalization Control/Upstream Port 8.0 GT/s Transmitter Preset').value).toBe(
      '0xf',
    );
    const physical = capability(ExtendedId.physical16, [0, 0, 0x1f, 0, 0, 0, 0, 0x5544_3375], 4, 16);
    expect(physical.length).toBe(0x30);
    expect(at(physical, '16.0 GT/s Status/Link Equalization Request 16.0 GT/s').lsb).toBe(4);
    expect(
      at(physical, 'Lane 0 16.0 GT/s Equalization Control/Upstream Port 16.0 GT/s Transmitter Preset').value,
    ).toBe('0x7');
    const margining = capability(ExtendedId.margining, [0x0003_0001, 0x9c38_8c21], 0, 2);
    expect(margining.length).toBe(16);
    expect(at(margining, 'Lane 0 Margining Lane Status/Margin Payload Status').value).toBe('0x9c');
    expect(at(margining, 'Lane 1 Margining Lane Control').offset).toBe(0x10c);
    const fast = capability(ExtendedId.physical32, [0x0000_0103, 2, 0x105, 0x1e98_0002]);
    expect(at(fast, '32.0 GT/s Status/Transmitter Precoding On').value).toBe('0x1');
    expect(at(fast, 'Received Modified TS Data 1/Received Modified TS Usage Mode').text).toBe(
      'alternate protocol',
    );
    expect(at(fast, 'Received Modified TS Data 1/Received Modified TS Vendor ID').value).toBe('0x1e98');
    const link = capability(ExtendedId.dataLink, [0x8000_0001, 0x8000_0001]);
    expect(at(link, 'Data Link Feature Status/Remote Data Link Feature Supported Valid').value).toBe('0x1');
  });

  it('virtual channels, power budgeting, TPH', () => {
    const node = capability(ExtendedId.virtualChannel, [1, 0, 0, 0, 0x8000_00ff, 0x0002_0000, 0]);
    expect(node).toMatchObject({ length: 0x28, text: '2 channels' });
    expect(at(node, 'VC Resource Control 0/VC Enable').value).toBe('0x1');
    expect(at(node, 'VC Resource Status 0/VC Negotiation Pending').value).toBe('0x1');
    expect(at(node, 'VC Resource Capability 1/Reject Snoop Transactions').value).toBe('0x0');
    const power = capability(ExtendedId.powerBudgeting, [0, 0x0004_e119, 1]);
    expect(at(power, 'Power Budgeting Data/Data Scale').text).toBe('0.1 W');
    expect(at(power, 'Power Budgeting Data/PM State').text).toBe('D3');
    expect(at(power, 'Power Budgeting Data/Power Rail').text).toBe('3.3 V');
    const tph = capability(ExtendedId.tph, [0x0003_0305, 0x0000_0102, 0xbbaa_2211]);
    expect(tph).toMatchObject({ length: 0x14, text: 'enabled' });
    expect(at(tph, 'TPH Requester Control/ST Mode Select').text).toBe('device specific');
    expect(at(tph, 'TPH ST Entry 1/ST Upper').value).toBe('0xbb');
    expect(capability(ExtendedId.tph, [0x0003_0505, 0]).length).toBe(0x0c);
  });

  it('DPC, with the log that a root port has', () => {
    const node = capability(ExtendedId.dpc, [0x0009_1063, 0x0100_0005], 4);
    expect(node).toMatchObject({ length: 0x20, text: 'triggered' });
    expect(at(node, 'DPC Capability/DL_Active ERR_COR Signaling Supported').value).toBe('0x1');
    expect(at(node, 'DPC Control/DPC Trigger Enable').text).toBe('fatal errors');
    expect(at(node, 'DPC Status/DPC Trigger Reason').text).toBe('ERR_FATAL received');
    expect(at(node, 'DPC Error Source ID').value).toBe('0x0100');
    const log = capability(ExtendedId.dpc, [0x0000_0563, 0], 4);
    expect(log).toMatchObject({ length: 0x34, text: 'off' });
    expect(at(log, 'RP PIO ImpSpec Log').offset).toBe(0x130);
    expect(capability(ExtendedId.dpc, [0x0001_0000]).length).toBe(12);
  });

  it('designated vendor-specific: as long as it says, words behind its ID', () => {
    const node = capability(ExtendedId.designated, [0x0101_1e98, 0xabcd_0007, 0x1111_2222]);
    expect(node).toMatchObject({ length: 0x10, text: 'vendor 1e98, ID 0007, 16 bytes' });
    expect(at(node, 'Bytes 0x10a')).toMatchObject({ length: 2, value: '0xabcd' });
    expect(at(node, 'Bytes 0x10c').value).toBe('0x11112222');
  });

  it('leaves out what lies behind the end of the space', () => {
    const bytes = space(ExtendedId.aer, []);
    const view = new DataView(bytes.buffer);
    view.setUint32(0x100, ExtendedId.aer | 0x1_0000 | (0xff0 << 20), true);
    view.setUint32(0xff0, ExtendedId.sriov | 0x1_0000, true);
    const node = decodeConfigSpace(bytes).at(-1)!;
    expect(node).toMatchObject({ offset: 0xff0, length: 16 });
    expect(node.children!.every(({ offset, length }) => offset + length <= 4096)).toBe(true);
    expect(node.children!.at(-1)!.name).toBe('TotalVFs');
  });
});
