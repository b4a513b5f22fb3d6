// Every number that the model knows has a name and a format, and no two fields of a command share a bit.
import { describe, expect, it } from 'vitest';
import type { CommandFormat, EntryField } from '../sdk/command-format.ts';
import { featureKnown } from './features.ts';
import { commandFormats } from './formats.ts';
import { ADMIN_OPCODES, commandNames, featureNames, logPageNames, statusName, statusNames } from './names.ts';
import { AdminOpcode, DNR, Feature, IoOpcode, LogPage, Status } from './wire.ts';

const { commands, common, completion, entryBytes, completionBytes } = commandFormats;

/** Field lists that are shown together, one for each way through the variants. */
function* ways(format: CommandFormat, before: readonly EntryField[]): Generator<readonly EntryField[]> {
  const fields = [...before, ...format.fields];
  yield fields;
  for (const variant of Object.values(format.by?.formats ?? {})) yield* ways(variant, fields);
}

function shared(fields: readonly EntryField[], bytes: number): string[] {
  const taken = new Map<number, string>();
  return fields.flatMap(({ name, lsb, width }) => {
    const wrong: string[] = lsb + width > bytes * 8 ? [`${name} ends outside`] : [];
    for (let bit = lsb; bit < lsb + width; bit++) {
      const other = taken.get(bit);
      if (other !== undefined) wrong.push(`${name} and ${other} share bit ${bit}`);
      taken.set(bit, name);
    }
    return wrong;
  });
}

describe('the tables', () => {
  it('name what the model implements', () => {
    for (const opcode of Object.values(AdminOpcode)) {
      expect(commandNames[opcode + ADMIN_OPCODES]).toBeDefined();
      expect(commands[opcode + ADMIN_OPCODES]).toBeDefined();
    }
    for (const opcode of Object.values(IoOpcode)) {
      expect(commandNames[opcode]).toBeDefined();
      expect(commands[opcode]).toBeDefined();
    }
    for (const status of Object.values(Status)) expect(statusNames[status & ~DNR]).toBeDefined();
    for (const page of Object.values(LogPage)) expect(logPageNames[page]).toBeDefined();
    for (const id of Object.values(Feature)) {
      expect(featureKnown(id)).toBe(true);
      expect(featureNames[id]).toBeDefined();
    }
  });

  it('name every command that has a format, the doorbell buffer and keep alive among them', () => {
    for (const code of Object.keys(commands)) expect(commandNames[Number(code)]).toBeDefined();
    expect(commandNames[0x7c + ADMIN_OPCODES]).toBe('Doorbell Buffer Config');
    expect(commandNames[0x18 + ADMIN_OPCODES]).toBe('Keep Alive');
    expect(commandNames[0x0d + ADMIN_OPCODES]).toBe('Namespace Management');
    expect(commandNames[0x0c]).toBe('Verify');
  });

  it('have fields that share no bit, inside the entry', () => {
    expect(shared(completion, completionBytes)).toEqual([]);
    for (const [code, format] of Object.entries(commands)) {
      for (const fields of ways(format, common))
        expect([code, shared(fields, entryBytes)]).toEqual([code, []]);
    }
  });

  it('take how much is moved from a field that is there', () => {
    for (const format of Object.values(commands)) {
      const { data, fields, by } = format;
      if (data?.field !== undefined) expect(fields.map(({ name }) => name)).toContain(data.field);
      if (by !== undefined) expect(fields.map(({ name }) => name)).toContain(by.field);
    }
  });

  // Base 2.0, figures 94 to 98.
  it('have status codes where the specification has them', () => {
    expect(statusName(0x002)).toBe('Invalid Field in Command');
    expect(statusName(0x021 | DNR)).toBe('Command Interrupted');
    expect(statusName(0x10c)).toBe('Invalid Queue Deletion');
    expect(statusName(0x12d)).toBe('Identifier Unavailable');
    expect(statusName(0x285)).toBe('Compare Failure');
    expect(statusName(0x371)).toBe('Command Aborted By Host');
    expect(statusName(0x7ff)).toBe('status 7ffh');
  });
});
