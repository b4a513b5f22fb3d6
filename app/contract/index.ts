/** Every call and stream between window and lab. */
import type * as v from 'valibot';
import { type ConfigResults, configCalls } from './config.ts';
import { type DeviceResults, type DeviceStreams, deviceCalls } from './devices.ts';
import { type DiskResults, diskCalls } from './disk.ts';
import { type DisplayResults, type DisplayStreams, displayCalls } from './display.ts';
import { type DmaResults, dmaCalls } from './dma.ts';
import { type InputResults, inputCalls } from './input.ts';
import { type InterruptResults, interruptCalls } from './interrupts.ts';
import { type LabResults, type LabStreams, labCalls } from './lab.ts';
import { type RegisterResults, registerCalls } from './registers.ts';
import { type TerminalResults, type TerminalStreams, terminalCalls } from './terminal.ts';
import { type TraceResults, type TraceStreams, traceCalls } from './trace.ts';

/** Parameter schema of every call, by name. */
export const calls = {
  ...labCalls,
  ...deviceCalls,
  ...registerCalls,
  ...configCalls,
  ...interruptCalls,
  ...dmaCalls,
  ...diskCalls,
  ...displayCalls,
  ...inputCalls,
  ...traceCalls,
  ...terminalCalls,
} as const;

export type CallName = keyof typeof calls;
export type CallParams<N extends CallName> = v.InferInput<(typeof calls)[N]>;

type Results = LabResults &
  DeviceResults &
  RegisterResults &
  ConfigResults &
  InterruptResults &
  DmaResults &
  DiskResults &
  DisplayResults &
  InputResults &
  TraceResults &
  TerminalResults;
export type CallResult<N extends CallName> = Results[N];

/** An answer, with the bytes that came along where the call says so. */
export interface Answer<N extends CallName> {
  readonly result: CallResult<N>;
  readonly bytes: Uint8Array | undefined;
}

export type Streams = LabStreams & DeviceStreams & DisplayStreams & TraceStreams & TerminalStreams;
export type StreamName = keyof Streams;
