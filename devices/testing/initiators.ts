/** The driver side of every model that has one, for a simulated host. */
import type { InitiatorFactory } from './initiator.ts';
import { nvmeInitiator } from './nvme-initiator.ts';
import { protopciemInitiator } from './protopciem-initiator.ts';

export const initiators: readonly InitiatorFactory[] = [nvmeInitiator, protopciemInitiator];
