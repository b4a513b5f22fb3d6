/** Names for the bytes of NVMe queue entries (NVM Express 1.4, figures 104 and 122). */
export interface DecodedField {
  readonly name: string;
  readonly value: string;
  readonly text: string;
}

const adminOpcodes: Readonly<Record<number, string>> = {
  0: 'Delete I/O Submission Queue',
  1: 'Create I/O Submission Queue',
  2: 'Get Log Page',
  4: 'Delete I/O Completion Queue',
  5: 'Create I/O Completion Queue',
  6: 'Identify',
  8: 'Abort',
  9: 'Set Features',
  10: 'Get Features',
  12: 'Asynchronous Event Request',
  128: 'Format NVM',
};
const ioOpcodes: Readonly<Record<number, string>> = {
  0: 'Flush',
  1: 'Write',
  2: 'Read',
  4: 'Write Uncorrectable',
  5: 'Compare',
  8: 'Write Zeroes',
  9: 'Dataset Management',
};

const statusNames: Readonly<Record<number, string>> = {
  0: 'Successful Completion',
  1: 'Invalid Command Opcode',
  2: 'Invalid Field in Command',
  4: 'Data Transfer Error',
  6: 'Internal Error',
  7: 'Command Abort Requested',
  8: 'Command Aborted due to SQ Deletion',
  11: 'Invalid Namespace or Format',
  19: 'PRP Offset Invalid',
  128: 'LBA Out of Range',
  129: 'Capacity Exceeded',
  256: 'Completion Queue Invalid',
  257: 'Invalid Queue Identifier',
  258: 'Invalid Queue Size',
  261: 'Asynchronous Event Request Limit Exceeded',
  264: 'Invalid Interrupt Vector',
  265: 'Invalid Log Page',
  266: 'Invalid Format',
  645: 'Compare Failure',
};

const h = (value: number | bigint, digits: number) => `0x${value.toString(16).padStart(digits, '0')}`;

/** A submission queue entry is 64 bytes; which set its opcode is of, the entry itself does not say. */
export function decodeSubmission(bytes: Uint8Array, admin: boolean): readonly DecodedField[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const first = view.getUint32(0, true);
  const opcode = first & 0xff;
  const name = (admin ? adminOpcodes : ioOpcodes)[opcode] ?? 'unknown';
  const fields: DecodedField[] = [
    { name: 'OPC', value: h(opcode, 2), text: name },
    {
      name: 'FUSE',
      value: h((first >> 8) & 3, 1),
      text: ['normal', 'first of fused', 'second of fused', 'reserved'][(first >> 8) & 3]!,
    },
    { name: 'PSDT', value: h((first >>> 14) & 3, 1), text: (first >>> 14) & 3 ? 'SGL' : 'PRP' },
    { name: 'CID', value: h(first >>> 16, 4), text: `command ${first >>> 16}` },
    { name: 'NSID', value: h(view.getUint32(4, true), 8), text: '' },
    { name: 'MPTR', value: h(view.getBigUint64(16, true), 16), text: '' },
    { name: 'PRP1', value: h(view.getBigUint64(24, true), 16), text: '' },
    { name: 'PRP2', value: h(view.getBigUint64(32, true), 16), text: '' },
  ];
  if (!admin && [1, 2, 5, 8].includes(opcode)) {
    const blocks = view.getUint16(48, true) + 1;
    fields.push(
      {
        name: 'SLBA',
        value: h(view.getBigUint64(40, true), 16),
        text: `block ${view.getBigUint64(40, true)}`,
      },
      {
        name: 'NLB',
        value: h(view.getUint16(48, true), 4),
        text: blocks === 1 ? '1 block' : `${blocks} blocks`,
      },
    );
  }
  for (let at = 10; at < 16; at++) {
    fields.push({ name: `CDW${at}`, value: h(view.getUint32(at * 4, true), 8), text: '' });
  }
  return fields;
}

/** A completion queue entry is 16 bytes. */
export function decodeCompletion(bytes: Uint8Array): readonly DecodedField[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const last = view.getUint32(12, true);
  const status = (last >>> 17) & 0x7ff;
  return [
    { name: 'DW0', value: h(view.getUint32(0, true), 8), text: 'command specific' },
    {
      name: 'SQHD',
      value: h(view.getUint16(8, true), 4),
      text: `submission queue head ${view.getUint16(8, true)}`,
    },
    {
      name: 'SQID',
      value: h(view.getUint16(10, true), 4),
      text: `submission queue ${view.getUint16(10, true)}`,
    },
    { name: 'CID', value: h(last & 0xffff, 4), text: `command ${last & 0xffff}` },
    { name: 'P', value: h((last >>> 16) & 1, 1), text: 'phase tag' },
    {
      name: 'SF',
      value: h(status, 3),
      text: statusNames[status] ?? `type ${status >> 8}, code ${h(status & 0xff, 2)}`,
    },
    { name: 'M', value: h((last >>> 30) & 1, 1), text: 'more information in the error log' },
    { name: 'DNR', value: h(last >>> 31, 1), text: last >>> 31 ? 'do not retry' : 'may be retried' },
  ];
}
