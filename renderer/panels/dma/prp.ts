/** PRP entries and lists (NVM Express 1.4, 4.3): where the data of a command lies in host memory. */

/** Some of a command's data. */
export interface MemoryPiece {
  /** Such as `PRP1`, `list 0x12000 entry 3`, `segment 0x12000 descriptor 3`. */
  readonly from: string;
  /** Undefined: it lies nowhere. */
  readonly address: number | undefined;
  readonly length: number;
  /** What the specification does not allow. */
  readonly problem: string;
}

/** Lists that are followed at most. */
const MOST_LISTS = 64;

/** The pages that `length` bytes lie in; `contiguous`: they are all where PRP1 leads, as those of a queue are. `read` gives host memory; what it throws ends the walk there. */
export async function walkPrps(
  { prp1, prp2, contiguous = false }: { prp1: number; prp2: number; contiguous?: boolean },
  length: number,
  pageSize: number,
  read: (address: number, length: number) => Promise<Uint8Array>,
): Promise<readonly MemoryPiece[]> {
  const pieces: MemoryPiece[] = [];
  const offset = prp1 % pageSize;
  if (contiguous) {
    const problem = offset === 0 ? '' : 'a queue begins at a page';
    return [{ from: 'PRP1', address: prp1, length, problem }];
  }
  let left = length - Math.min(length, pageSize - offset);
  pieces.push({
    from: 'PRP1',
    address: prp1,
    length: length - left,
    problem: prp1 % 4 !== 0 ? 'its offset is no multiple of 4' : '',
  });
  if (left === 0) return pieces;
  if (left <= pageSize) {
    const problem = prp2 % pageSize !== 0 ? 'it has an offset, which only PRP1 may have' : '';
    pieces.push({ from: 'PRP2', address: prp2, length: left, problem });
    return pieces;
  }
  let list = prp2;
  const seen = new Set<number>();
  while (left > 0) {
    const name = `list 0x${list.toString(16)}`;
    if (list % 8 !== 0) {
      pieces.push({ from: name, address: list, length: 0, problem: 'a list lies at a multiple of 8' });
      return pieces;
    }
    if (seen.has(list) || seen.size >= MOST_LISTS) {
      pieces.push({ from: name, address: list, length: 0, problem: 'the lists go round in a circle' });
      return pieces;
    }
    seen.add(list);
    const room = (pageSize - (list % pageSize)) / 8;
    const needed = Math.ceil(left / pageSize);
    // The last entry of a full page leads to the next list, where there is more.
    const entries = Math.min(room, needed);
    const bytes = await read(list, entries * 8);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const chained = needed > room;
    for (let at = 0; at < entries - (chained ? 1 : 0); at++) {
      const address = Number(view.getBigUint64(at * 8, true));
      const piece = Math.min(left, pageSize);
      const problem =
        address % pageSize !== 0 ? 'an entry of a list has no offset' : address === 0 ? 'it is 0' : '';
      pieces.push({ from: `${name} entry ${at}`, address, length: piece, problem });
      left -= piece;
    }
    if (!chained) return pieces;
    list = Number(view.getBigUint64((entries - 1) * 8, true));
  }
  return pieces;
}
