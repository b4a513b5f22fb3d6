/** What in a terminal's text leads somewhere: addresses of the web, devices of the lab, their registers. */

export interface KnownDevice {
  readonly id: number;
  /** Such as `10000:00:00.0`. */
  readonly address: string;
}
export interface KnownRegister {
  readonly bar: number;
  readonly name: string;
}

export type LinkTarget =
  | { readonly kind: 'url'; readonly url: string }
  | { readonly kind: 'device'; readonly device: number; readonly panel: 'config' | 'registers' | 'devices' }
  | { readonly kind: 'register'; readonly device: number; readonly bar: number; readonly name: string };

export interface TextLink {
  readonly start: number;
  readonly end: number;
  readonly target: LinkTarget;
}

const URL_PATTERN = /\bhttps?:\/\/[^\s"'<>`]*[^\s"'<>`.,;:!?)\]}]/g;
/** A function, perhaps with the path in sysfs that it stands in. */
const ADDRESS_PATTERN =
  /(?:\/sys\/[\w.:/-]*\/)?(?<![\w:])((?:[\da-f]{4,8}:)?[\da-f]{2}:[\da-f]{2}\.[0-7])(?![\w.])((?:\/[\w.-]+)*)/gi;
const REGISTER_PATTERN = /(?<![\w/.-])[A-Z][A-Z\d_]+(?![\w/.-])/g;

/** Linux writes domain 0 with four digits, and `lspci` leaves it out. */
function normal(address: string): string {
  const parts = address.toLowerCase().split(':');
  const domain = parts.length === 3 ? parts[0]! : '0';
  return [Number.parseInt(domain, 16).toString(16), ...parts.slice(-2)].join(':');
}

function panelOf(rest: string): 'config' | 'registers' | 'devices' {
  if (/^\/resource\d/.test(rest)) return 'registers';
  return rest === '' || rest === '/config' ? 'config' : 'devices';
}

/** `registers`: of the device whose registers a bare name means. */
export function findLinks(
  text: string,
  devices: readonly KnownDevice[],
  registers: { readonly device: number; readonly names: readonly KnownRegister[] } | undefined,
): TextLink[] {
  const found: TextLink[] = [];
  const add = (start: number, length: number, target: LinkTarget): void => {
    const end = start + length;
    if (found.some((one) => start < one.end && one.start < end)) return;
    found.push({ start, end, target });
  };
  for (const match of text.matchAll(URL_PATTERN)) {
    add(match.index, match[0].length, { kind: 'url', url: match[0] });
  }
  for (const match of text.matchAll(ADDRESS_PATTERN)) {
    const device = devices.find(({ address }) => address !== '' && normal(address) === normal(match[1]!));
    if (device === undefined) continue;
    add(match.index, match[0].length, { kind: 'device', device: device.id, panel: panelOf(match[2]!) });
  }
  for (const match of text.matchAll(REGISTER_PATTERN)) {
    const register = registers?.names.find(({ name }) => name === match[0]);
    if (registers === undefined || register === undefined) continue;
    const { bar, name } = register;
    add(match.index, name.length, { kind: 'register', device: registers.device, bar, name });
  }
  return found.sort((a, b) => a.start - b.start);
}
