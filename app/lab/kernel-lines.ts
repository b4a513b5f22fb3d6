/** Of a kernel log that `dmesg` prints, the lines that name a device, its driver or what puts it on the bus. */

/** Colours, which stand within the words as well. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they begin with one
const COLORS = /\x1b\[[\d;]*[A-Za-z]/g;
/** A record begins with its time; further lines of it do not. */
const RECORD = /^\[\s*\d+[.\d]*\]/;

/** `nvme` is in `nvme0n1` and `nvme nvme0`, and not in `nvmet` or `nvme_core`. */
function isNamed(line: string, name: string): boolean {
  for (let at = line.indexOf(name); at !== -1; at = line.indexOf(name, at + 1)) {
    const before = line[at - 1] ?? ' ';
    const after = line[at + name.length] ?? ' ';
    if (!/[\w-]/.test(before) && !/[a-z_-]/i.test(after)) return true;
  }
  return false;
}

export class KernelLines {
  readonly #names: () => readonly string[];
  #partial = '';
  /** What no record has come before, such as why `dmesg` prints none, is for everybody. */
  #showing = true;

  /** `names`: asked for every record, as a driver may come later. */
  constructor(names: () => readonly string[]) {
    this.#names = names;
  }

  /** What is to be shown of a piece of the log, in whole lines. */
  take(text: string): string {
    const lines = (this.#partial + text).split('\n');
    this.#partial = lines.pop() ?? '';
    return lines.map((line) => (this.#isShown(line) ? `${line}\n` : '')).join('');
  }

  #isShown(line: string): boolean {
    const plain = line.replaceAll(COLORS, '');
    if (RECORD.test(plain)) this.#showing = this.#names().some((name) => name !== '' && isNamed(plain, name));
    return this.#showing;
  }
}
