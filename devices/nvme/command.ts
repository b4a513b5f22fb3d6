/** Submission queue entries in words, for notes and for a person who looks at memory. */
import { join } from '../sdk/bits.ts';
import { adminCommandNames, ioCommandNames } from './names.ts';
import { IoOpcode, Sqe } from './wire.ts';

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
