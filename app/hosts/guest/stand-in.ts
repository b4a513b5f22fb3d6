/** Answers a window in place of a lab whose guest has ended: why, and whether it is on its way back. */
import { CONTRACT_VERSION, type LabHello } from '#contract/lab.ts';
import { type Channel, type ErrorBody, encodeServerMessage } from '#contract/wire.ts';

export interface StoppedLab {
  readonly version: string;
  readonly reason: string;
  readonly starting: boolean;
  restart(): void;
}

function helloOf({ version, reason, starting }: StoppedLab): LabHello {
  return {
    contract: CONTRACT_VERSION,
    version,
    instance: '',
    shell: 'headless',
    host: { kind: 'guest', title: 'Linux in QEMU, stopped', detail: reason },
    models: [],
    abilities: { driverAccess: false, workload: false, terminal: false, serialConsole: false, input: false },
    stopped: { reason, starting },
  };
}

/** What is no call gets no answer: acknowledgements of streams that ended with the lab. */
export function standIn(
  channel: Pick<Channel, 'send'>,
  message: string | ArrayBuffer,
  lab: StoppedLab,
): void {
  let received: { id?: unknown; call?: unknown } | null;
  try {
    received = JSON.parse(String(message)) as typeof received;
  } catch {
    return;
  }
  const id = received?.id;
  if (typeof id !== 'number') return;
  switch (received?.call) {
    case 'lab.hello':
      channel.send(encodeServerMessage({ id, ok: helloOf(lab) }));
      break;
    case 'lab.restart':
      channel.send(encodeServerMessage({ id, ok: {} }));
      lab.restart();
      break;
    default: {
      const error: ErrorBody = {
        code: 'GUEST_STOPPED',
        message: 'The guest has stopped.',
        hint: 'Start it again first.',
      };
      channel.send(encodeServerMessage({ id, error }));
    }
  }
}
