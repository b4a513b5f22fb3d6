/** Every device model that can be powered on. */
import { checksumModel } from './checksum/card.ts';
import { cloneModel } from './clone/model.ts';
import { nvmeModel } from './nvme/model.ts';
import { protopciemModel } from './protopciem/model.ts';
import { scratchModel } from './scratch/card.ts';
import type { DeviceModel } from './sdk/device.ts';

export const models: readonly DeviceModel[] = [
  nvmeModel,
  protopciemModel,
  checksumModel,
  scratchModel,
  cloneModel,
];
