/** A device's description as it travels to the window: 64-bit numbers as hexadecimal text. */
import type { WireDescription, WireRegister } from '#contract/devices.ts';
import type { DeviceDescription } from '#devices/sdk/device.ts';
import type { RegisterDescription } from '#devices/sdk/register-map.ts';

const hex = (value: bigint): string => `0x${value.toString(16)}`;

export function wireDescription(description: DeviceDescription): WireDescription {
  const { display } = description;
  return {
    model: description.model,
    title: description.title,
    identity: description.identity,
    bars: description.bars.map((bar) => ({
      index: bar.index,
      size: bar.size,
      memory64: bar.memory64,
      prefetchable: bar.prefetchable,
      title: bar.title,
      trace: bar.trace,
      registers: bar.registers.map((register) => ({
        name: register.name,
        title: register.title,
        offset: register.offset,
        width: register.width,
        reset: hex(register.reset),
        writable: hex(register.writable),
        writeOneToClear: hex(register.writeOneToClear ?? 0n),
        ...(register.selfClearing === undefined ? {} : { selfClearing: hex(register.selfClearing) }),
        fields: register.fields ?? [],
        ...(register.specification === undefined ? {} : { specification: register.specification }),
      })),
    })),
    capabilities: description.capabilities.map((capability) => ({ ...capability })),
    vectorNames: description.vectorNames,
    ...(description.commandNames === undefined ? {} : { commandNames: description.commandNames }),
    ...(display === undefined
      ? {}
      : { display: { maxWidth: display.maxWidth, maxHeight: display.maxHeight } }),
  };
}

/** A register that the window described, as a model does. */
export function registerDescription(register: WireRegister): RegisterDescription {
  const { reset, writable, writeOneToClear, selfClearing, ...rest } = register;
  return {
    ...rest,
    reset: BigInt(reset),
    writable: BigInt(writable),
    writeOneToClear: BigInt(writeOneToClear),
    ...(selfClearing === undefined ? {} : { selfClearing: BigInt(selfClearing) }),
  };
}
