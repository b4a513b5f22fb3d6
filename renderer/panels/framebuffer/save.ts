/** The picture as a file: one of it, or a video. */
import { createStore } from 'zustand/vanilla';
import { pictureCanvas, shownFrame } from './picture.ts';

function download(name: string, blob: Blob): void {
  const address = URL.createObjectURL(blob);
  const link = document.createElement('a');
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

function fileName(extension: string): string {
  return `framebuffer-${shownFrame()}.${extension}`;
}

export async function screenshot(): Promise<void> {
  const blob = await new Promise<Blob | null>((resolve) => pictureCanvas().toBlob(resolve, 'image/png'));
  if (blob === null) throw new Error('There is no picture yet.');
  download(fileName('png'), blob);
}

export const recording = createStore<{ readonly since: number }>(() => ({ since: 0 }));
let recorder: MediaRecorder | undefined;

const TYPES = ['video/webm;codecs=vp9', 'video/webm;codecs=vp8', 'video/webm', 'video/mp4'];

export function videoType(): string | undefined {
  if (typeof MediaRecorder === 'undefined') return undefined;
  return TYPES.find((type) => MediaRecorder.isTypeSupported(type));
}

export function startRecording(): void {
  const mimeType = videoType();
  if (mimeType === undefined) throw new Error('This browser cannot record video.');
  const stream = pictureCanvas().captureStream();
  const chunks: Blob[] = [];
  recorder = new MediaRecorder(stream, { mimeType, videoBitsPerSecond: 8_000_000 });
  recorder.addEventListener('dataavailable', (event) => chunks.push(event.data));
  recorder.addEventListener('stop', () => {
    for (const track of stream.getTracks()) track.stop();
    recorder = undefined;
    recording.setState({ since: 0 });
    download(
      fileName(mimeType.startsWith('video/mp4') ? 'mp4' : 'webm'),
      new Blob(chunks, { type: mimeType }),
    );
  });
  recorder.start(1000);
  recording.setState({ since: performance.now() });
}

export function stopRecording(): void {
  recorder?.stop();
}
