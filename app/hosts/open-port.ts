import { LabError } from './errors.ts';
import type { DevicePort, PortTicket } from './host.ts';
import { openPciemPort } from './pciem/port.ts';
import { SimPort } from './sim/port.ts';

/** Opens a device's port in the thread that will use it. */
export function openPort(ticket: PortTicket): DevicePort {
  switch (ticket.kind) {
    case 'pciem':
      return openPciemPort(ticket);
    case 'sim':
      return new SimPort(ticket);
    default:
      throw new LabError('NO_SUCH_HOST', `There is no host "${(ticket as { kind: string }).kind}".`);
  }
}
