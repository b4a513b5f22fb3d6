/** What stands in a terminal, line by line as it was printed: a line that did not fit is one line again. */

/** As much of xterm's buffer as is needed here. */
export interface Cell {
  getChars(): string;
  /** 0 behind a wide character. */
  getWidth(): number;
}
export interface Line {
  readonly isWrapped: boolean;
  readonly length: number;
  getCell(x: number): Cell | undefined;
}
export interface Lines {
  readonly length: number;
  getLine(y: number): Line | undefined;
}

export interface PrintedLine {
  readonly text: string;
  /** Column and row of each character of `text`, from 0. */
  readonly places: readonly (readonly [x: number, y: number])[];
  readonly firstRow: number;
  readonly lastRow: number;
}

/** The printed line of which row `y` is a part. */
export function printedLine(lines: Lines, y: number): PrintedLine | undefined {
  if (lines.getLine(y) === undefined) return undefined;
  let first = y;
  while (first > 0 && lines.getLine(first)!.isWrapped) first--;
  let last = y;
  while (lines.getLine(last + 1)?.isWrapped === true) last++;
  let text = '';
  const places: [number, number][] = [];
  for (let row = first; row <= last; row++) {
    const line = lines.getLine(row)!;
    for (let x = 0; x < line.length; x++) {
      const cell = line.getCell(x);
      if (cell === undefined || cell.getWidth() === 0) continue;
      const chars = cell.getChars() || ' ';
      for (let at = 0; at < chars.length; at++) places.push([x, row]);
      text += chars;
    }
  }
  return { text: text.trimEnd(), places, firstRow: first, lastRow: last };
}

/** All that is there, each printed line as one, without the empty ones behind the last. */
export function printedText(lines: Lines): string {
  const text: string[] = [];
  for (let y = 0; y < lines.length; ) {
    const line = printedLine(lines, y)!;
    text.push(line.text);
    y = line.lastRow + 1;
  }
  return text.join('\n').trimEnd();
}

export interface Match {
  readonly x: number;
  readonly y: number;
  /** Columns, over the end of a row into the next one. */
  readonly length: number;
}

/** Every place of `wanted`, from top to bottom, upper and lower case alike. */
export function findText(lines: Lines, columns: number, wanted: string): Match[] {
  const found: Match[] = [];
  const needle = wanted.toLowerCase();
  if (needle === '') return found;
  for (let y = 0; y < lines.length; ) {
    const line = printedLine(lines, y)!;
    const text = line.text.toLowerCase();
    for (let at = text.indexOf(needle); at !== -1; at = text.indexOf(needle, at + needle.length)) {
      const start = line.places[at];
      const end = line.places[at + needle.length - 1];
      if (start === undefined || end === undefined) break;
      found.push({
        x: start[0],
        y: start[1],
        length: (end[1] - start[1]) * columns + end[0] - start[0] + 1,
      });
    }
    y = line.lastRow + 1;
  }
  return found;
}
