import { describe, expect, it } from 'vitest';
import { findLinks } from './links.ts';
import { findText, type Lines, printedLine, printedText } from './text.ts';

/** A screen of `columns`; a line that begins with `+` goes on from the one above. `＠` takes two columns. */
function screen(columns: number, ...rows: string[]): Lines {
  const lines = rows.map((row) => {
    const text = row.replace(/^\+/, '');
    const cells: { chars: string; width: number }[] = [];
    for (const chars of text) {
      const wide = chars === '＠';
      cells.push({ chars, width: wide ? 2 : 1 });
      if (wide) cells.push({ chars: '', width: 0 });
    }
    while (cells.length < columns) cells.push({ chars: '', width: 1 });
    return {
      isWrapped: row.startsWith('+'),
      length: columns,
      getCell: (x: number) => {
        const cell = cells[x];
        return cell && { getChars: () => cell.chars, getWidth: () => cell.width };
      },
    };
  });
  return { length: lines.length, getLine: (y) => lines[y] };
}

describe('the text of a terminal', () => {
  it('is whole where it was wrapped, from any of its rows', () => {
    const lines = screen(5, 'one', 'abcde', '+fghij', '+kl', 'end');
    for (const y of [1, 2, 3]) {
      expect(printedLine(lines, y)).toMatchObject({ text: 'abcdefghijkl', firstRow: 1, lastRow: 3 });
    }
    expect(printedLine(lines, 1)!.places[7]).toEqual([2, 2]);
    expect(printedLine(lines, 9)).toBeUndefined();
  });

  it('is copied line by line as it was printed, to the last that holds something', () => {
    expect(printedText(screen(5, '$ ls', 'abcde', '+fghij', '', '$', '', ''))).toBe('$ ls\nabcdefghij\n\n$');
    expect(printedText(screen(5, '', ''))).toBe('');
  });

  it('keeps columns behind wide characters', () => {
    const line = printedLine(screen(6, '＠ab'), 0)!;
    expect(line.text).toBe('＠ab');
    expect(line.places[1]).toEqual([2, 0]);
  });

  it('is searched over the ends of rows, whatever the case', () => {
    const lines = screen(5, 'xx Ab', '+cd ab', 'abcd');
    expect(findText(lines, 5, 'abcd')).toEqual([
      { x: 3, y: 0, length: 4 },
      { x: 0, y: 2, length: 4 },
    ]);
    expect(findText(lines, 5, '')).toEqual([]);
    expect(findText(lines, 5, 'nothing')).toEqual([]);
  });
});

describe('links', () => {
  const devices = [
    { id: 1, address: '10000:00:00.0' },
    { id: 2, address: '0000:01:00.0' },
    { id: 3, address: '' },
  ];
  const registers = { device: 1, names: [{ bar: 0, name: 'CSTS' }] };
  const targets = (text: string) =>
    findLinks(text, devices, registers).map(({ start, end, target }) => [text.slice(start, end), target]);

  it('finds pages, without what ends a sentence', () => {
    expect(targets('See (https://nvmexpress.org/specs?x=1#a), please.')).toEqual([
      ['https://nvmexpress.org/specs?x=1#a', { kind: 'url', url: 'https://nvmexpress.org/specs?x=1#a' }],
    ]);
    expect(targets('file:///etc/passwd javascript:alert(1) ftp://x')).toEqual([]);
  });

  it('finds devices of the lab, in the ways that Linux writes them', () => {
    const device = (id: number, panel: string) => ({ kind: 'device', device: id, panel });
    expect(targets('nvme 10000:00:00.0: enabling')).toEqual([['10000:00:00.0', device(1, 'config')]]);
    expect(targets('01:00.0 Non-Volatile')).toEqual([['01:00.0', device(2, 'config')]]);
    expect(targets('cat /sys/bus/pci/devices/10000:00:00.0/config')).toEqual([
      ['/sys/bus/pci/devices/10000:00:00.0/config', device(1, 'config')],
    ]);
    expect(targets('/sys/bus/pci/devices/10000:00:00.0/resource0')[0]![1]).toEqual(device(1, 'registers'));
    expect(targets('/sys/bus/pci/devices/10000:00:00.0/driver/unbind')[0]![1]).toEqual(device(1, 'devices'));
  });

  it('leaves alone what is no device of the lab, and what only looks like one', () => {
    expect(targets('0000:02:00.0 12:34:56.7 at 15:01:00.012 abc01:00.0')).toEqual([]);
  });

  it('finds registers by name, as words', () => {
    expect(targets('CSTS=0x1 CSTSX xCSTS ./CSTS')).toEqual([
      ['CSTS', { kind: 'register', device: 1, bar: 0, name: 'CSTS' }],
    ]);
    expect(findLinks('CSTS', devices, undefined)).toEqual([]);
  });
});
