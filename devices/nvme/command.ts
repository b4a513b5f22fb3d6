/** Submission queue entries in words, for notes and for a person who looks at memory. */
import { join } from '../sdk/bits.ts';
import { AdminOpcode, IoOpcode, Sqe } from './wire.ts';

export const adminCommandNames: Readonly<Record<number, string>> = {
  [AdminOpcode.deleteSq]: 'Delete I/O Submission Queue',
  [AdminOpcode.createSq]: 'Create I/O Submission Queue',
  [AdminOpcode.getLogPage]: 'Get Log Page',
  [AdminOpcode.deleteCq]: 'Delete I/O Completion Queue',
  [AdminOpcode.createCq]: 'Create I/O Completion Queue',
  [AdminOpcode.identify]: 'Identify',
  [AdminOpcode.abort]: 'Abort',
  [AdminOpcode.setFeatures]: 'Set Features',
  [AdminOpcode.getFeatures]: 'Get Features',
  [AdminOpcode.asyncEventRequest]: 'Asynchronous Event Request',
  [AdminOpcode.doorbellBufferConfig]: 'Doorbell Buffer Config',
  [AdminOpcode.formatNvm]: 'Format NVM',
  13: 'Namespace Management',
  16: 'Firmware Commit',
  17: 'Firmware Image Download',
  20: 'Device Self-test',
  21: 'Namespace Attachment',
  24: 'Keep Alive',
  25: 'Directive Send',
  26: 'Directive Receive',
  28: 'Virtualization Management',
  29: 'NVMe-MI Send',
  30: 'NVMe-MI Receive',
  129: 'Security Send',
  130: 'Security Receive',
  132: 'Sanitize',
  134: 'Get LBA Status',
};

export const ioCommandNames: Readonly<Record<number, string>> = {
  [IoOpcode.flush]: 'Flush',
  [IoOpcode.write]: 'Write',
  [IoOpcode.read]: 'Read',
  4: 'Write Uncorrectable',
  [IoOpcode.compare]: 'Compare',
  [IoOpcode.writeZeroes]: 'Write Zeroes',
  [IoOpcode.datasetManagement]: 'Dataset Management',
  12: 'Verify',
  13: 'Reservation Register',
  14: 'Reservation Report',
  17: 'Reservation Acquire',
  21: 'Reservation Release',
};

/** Opcodes of both command sets mean different things: in the trace, those of the admin set are this much higher. */
export const ADMIN_OPCODES = 0x100;

export const commandNames: Readonly<Record<number, string>> = {
  ...ioCommandNames,
  ...Object.fromEntries(
    Object.entries(adminCommandNames).map(([opcode, name]) => [Number(opcode) + ADMIN_OPCODES, name]),
  ),
};

function opcodeName(names: Readonly<Record<number, string>>, opcode: number): string {
  return names[opcode] ?? `opcode ${opcode.toString(16).padStart(2, '0')}h`;
}

/** Such as `Read, command 12, namespace 1, LBA 0x800, 8 blocks`. */
export function describeIo(words: Uint32Array, at: number): string {
  const opcode = words[at]! & 0xff;
  const text = `${opcodeName(ioCommandNames, opcode)}, command ${words[at]! >>> 16}, namespace ${words[at + Sqe.nsid]}`;
  if (opcode === IoOpcode.flush || opcode === IoOpcode.datasetManagement) return text;
  const lba = join(words[at + Sqe.cdw10]!, words[at + Sqe.cdw11]!);
  return `${text}, LBA 0x${lba.toString(16)}, ${(words[at + Sqe.cdw12]! & 0xffff) + 1} blocks`;
}

/** Such as `Identify, command 3, CDW10 0x6`. */
export function describeAdmin(words: Uint32Array, at: number): string {
  const text = `${opcodeName(adminCommandNames, words[at]! & 0xff)}, command ${words[at]! >>> 16}`;
  return `${text}, CDW10 0x${words[at + Sqe.cdw10]!.toString(16)}, CDW11 0x${words[at + Sqe.cdw11]!.toString(16)}`;
}
