import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { LabError } from '../errors.ts';
import { checkVersion, hasPciemNode, PciemHost, parsePeerRegions } from './host.ts';

const folder = mkdtempSync(join(tmpdir(), 'pciem-host-'));
afterAll(() => rmSync(folder, { recursive: true }));

function failure(call: () => unknown): LabError {
  try {
    call();
  } catch (error) {
    expect(error).toBeInstanceOf(LabError);
    return error as LabError;
  }
  throw new Error('nothing was thrown');
}

describe('a host that cannot be used says why', () => {
  it('no node', () => {
    const error = failure(() => new PciemHost(join(folder, 'pciem')));
    expect(error.code).toBe('NO_NODE');
    expect(error.message).toContain(join(folder, 'pciem'));
    expect(error.hint).toContain('modprobe pciem');
    expect(hasPciemNode(join(folder, 'pciem'))).toBe(false);
  });

  it('no device node', () => {
    const path = join(folder, 'file');
    writeFileSync(path, '');
    expect(failure(() => new PciemHost(path)).code).toBe('NOT_A_NODE');
    expect(hasPciemNode(path)).toBe(false);
  });

  it('another module', () => {
    expect(hasPciemNode('/dev/null')).toBe(true);
    const error = failure(() => new PciemHost('/dev/null'));
    expect(error.code).toBe('MODULE_VERSION');
    expect(error.hint).toContain('kernel/pciem.ko');
  });

  it('another version', () => {
    const error = failure(() => checkVersion('/dev/pciem', 3, 0x1f));
    expect(error.message).toContain('version 3, this program version 2');
  });

  it('missing features', () => {
    const error = failure(() => checkVersion('/dev/pciem', 2, 0x4011d));
    expect(error.message).toBe('The module behind /dev/pciem lacks: batched DMA.');
    checkVersion('/dev/pciem', 2, 0x401ff);
  });
});

it('reads what other memory the module lets its devices reach', () => {
  expect(parsePeerRegions('0xe0000000:0x1000,0x1000000000:4096\n')).toEqual([
    { address: 0xe000_0000, size: 0x1000 },
    { address: 0x10_0000_0000, size: 4096 },
  ]);
  // As the kernel prints a parameter that was not given.
  expect(parsePeerRegions('(null)\n')).toEqual([]);
  expect(parsePeerRegions('\n')).toEqual([]);
});
