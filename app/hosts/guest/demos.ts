/** What can be shown on the card in a guest. */
import { LabError } from '../errors.ts';

export interface Demo {
  /** Model that is powered on for it. */
  readonly device: string;
  readonly command: readonly string[];
}

const DEMOS: Readonly<Record<string, Demo>> = {
  /** Debian's chocolate-doom with Freedoom, on an X server on the card's DRM driver. */
  doom: { device: 'protopciem', command: ['/lab/demo/doom.sh', 'protopciem'] },
  /** Command buffers and frames through /dev/protopciem. */
  frames: { device: 'protopciem', command: ['/lab/demo/frames'] },
};

/** Throws a {@link LabError} that says which demos there are, where they run, and on what. */
export function findDemo(name: string, host: string, device: string | undefined): Demo {
  const demo = Object.hasOwn(DEMOS, name) ? DEMOS[name] : undefined;
  if (demo === undefined) {
    throw new LabError(
      'NO_SUCH_DEMO',
      `There is no demo "${name}"; there are ${Object.keys(DEMOS).join(', ')}.`,
      'For example: `make run HOST=guest DEMO=doom`.',
    );
  }
  if (host !== 'guest') {
    throw new LabError(
      'DEMO_NEEDS_GUEST',
      `The demo "${name}" runs in a guest, and this lab is on the host "${host}".`,
      `Start it so: \`make run HOST=guest DEMO=${name}\`.`,
    );
  }
  if (device !== undefined && device !== demo.device) {
    throw new LabError(
      'DEMO_DEVICE',
      `The demo "${name}" is shown on the model "${demo.device}", not on "${device}".`,
      'Leave the device out, or name that one.',
    );
  }
  return demo;
}
