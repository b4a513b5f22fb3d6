import type { Channel } from '#contract/wire.ts';

/** Whatever a window can be attached to: the lab in this process, or one somewhere else. */
export interface LabEndpoint {
  accept(channel: Channel): void;
  close(): Promise<void>;
}
