/** A device's description as it travels to the window: 64-bit numbers as hexadecimal text. */
import type { WireConfigRegister, WireDescription, WireField, WireRegister } from '#contract/devices.ts';
import { type ConfigNode, decodeConfigSpace } from '#devices/sdk/config-decode.ts';
import { buildConfigSpace } from '#devices/sdk/config-space.ts';
import type { ConfigImage, DeviceDescription } from '#devices/sdk/device.ts';
import type { RegisterDescription } from '#devices/sdk/register-map.ts';
import { bitsWithin } from './masked-write.ts';

const hex = (value: bigint): string => `0x${value.toString(16)}`;

/** Names that registers of several capabilities have; those of one capability alone say enough. */
const SHARED = new Set([
  'Capability ID',
  'Next Capability Pointer',
  'Extended Capability Header',
  'Length',
  'Message Control',
]);

/** The registers that these bytes have, with the names that their tree gives them. */
export function wireConfig(
  bytes: Uint8Array,
  { writable, clearable }: Pick<ConfigImage, 'writable' | 'clearable'>,
): WireConfigRegister[] {
  const bitsOf = (image: Uint8Array, offset: number, length: number) => {
    const bytes = [...image.subarray(offset, offset + length)];
    return hex(
      bitsWithin(
        bytes.map((bits, at) => ({ offset: offset + at, bits: BigInt(bits) })),
        offset,
        length,
      ),
    );
  };
  const registers: WireConfigRegister[] = [];
  const visit = (node: ConfigNode, group: string): void => {
    if (node.value === undefined) {
      const inner = node.offset === 0 ? '' : node.name.replace(/( Extended)? Capability$/, '');
      for (const child of node.children ?? []) visit(child, inner);
      return;
    }
    const { name, offset, length } = node;
    registers.push({
      name: group !== '' && SHARED.has(name) ? `${group} ${name}` : name,
      offset,
      length,
      writable: bitsOf(writable, offset, length),
      writeOneToClear: bitsOf(clearable, offset, length),
      fields: (node.children ?? []).filter(({ reserved }) => reserved !== true).map(wireField),
    });
  };
  for (const node of decodeConfigSpace(bytes)) visit(node, '');
  return registers.sort((a, b) => a.offset - b.offset);
}

function wireField({ name, lsb, bits }: ConfigNode): WireField {
  return { name, lsb: lsb!, width: bits! };
}

export function wireDescription(description: DeviceDescription): WireDescription {
  const { display } = description;
  const config = buildConfigSpace(description);
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
    config: wireConfig(config.bytes, config),
    capabilities: description.capabilities.map((capability) => ({ ...capability })),
    vectorNames: description.vectorNames,
    ...(description.commandNames === undefined ? {} : { commandNames: description.commandNames }),
    ...(description.commandFormats === undefined ? {} : { commandFormats: description.commandFormats }),
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
