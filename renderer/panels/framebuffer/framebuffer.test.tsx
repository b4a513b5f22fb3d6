// @vitest-environment happy-dom
import { cleanup, configure, screen, waitFor } from '@testing-library/react';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { DisplayUpdate } from '#contract/display.ts';
import { nextFrame } from '#renderer/frame/scheduler.ts';
import type { FakeLab } from '#renderer/testing/fake-lab.ts';
import { renderWithLab } from '#renderer/testing/render.tsx';
import { inspectionText, readInspection } from './inspection.ts';
import { FramebufferPanel } from './panel.tsx';
import { pictureCanvas, setPaused, step, view, watch } from './picture.ts';

configure({ asyncUtilTimeout: 8000 });
vi.setConfig({ testTimeout: 30_000 });

let fake: FakeLab;
afterEach(() => {
  cleanup();
  fake.stop();
});
beforeEach(() => {
  setPaused(false);
});

function picture(frame: number, device = 1): void {
  const update: DisplayUpdate = {
    device,
    width: 4,
    height: 2,
    format: 'RGB24',
    frame,
    parts: [[0, 0, 4, 2]],
    palette: false,
    image: false,
  };
  fake.stream('display', update, new Uint8Array(24));
}
const shown = () => Number(pictureCanvas().dataset.frame);
const settle = async () => {
  for (let i = 0; i < 3; i++) {
    await new Promise((resolve) => setTimeout(resolve));
    await nextFrame();
  }
};

test('a device without a picture says so', async () => {
  fake = await renderWithLab(<FramebufferPanel />);
  expect((await screen.findByTestId('framebuffer-none')).textContent).toContain('disk0 has no picture');
  expect(fake.called.some(({ call }) => call === 'display.watch')).toBe(false);
});

test('pictures of the watched device are drawn, and only those', async () => {
  fake = await renderWithLab(<div />);
  await watch(1);
  expect(fake.called.at(-1)).toEqual({ call: 'display.watch', params: { device: 1, packed: true } });
  picture(7);
  await waitFor(() => expect(shown()).toBe(7));
  expect([pictureCanvas().width, pictureCanvas().height]).toEqual([4, 2]);
  expect(view.getState()).toMatchObject({ width: 4, height: 2, format: 'RGB24' });
  picture(9, 2);
  await settle();
  expect(shown()).toBe(7);
});

test('paused, each step shows one more', async () => {
  fake = await renderWithLab(<div />);
  await watch(1);
  picture(1);
  await waitFor(() => expect(shown()).toBe(1));
  setPaused(true);
  picture(2);
  await settle();
  expect(shown()).toBe(1);
  step();
  await waitFor(() => expect(shown()).toBe(2));
  // Asked for before there is one.
  step();
  picture(3);
  await waitFor(() => expect(shown()).toBe(3));
  // Two may be on their way: each is a step.
  picture(4);
  picture(5);
  await settle();
  expect(shown()).toBe(3);
  step();
  await waitFor(() => expect(shown()).toBe(4));
  await settle();
  expect(shown()).toBe(4);
  step();
  await waitFor(() => expect(shown()).toBe(5));
  picture(6);
  await settle();
  expect(shown()).toBe(5);
  setPaused(false);
  await waitFor(() => expect(shown()).toBe(6));
});

test('a device watched anew shows its first picture, paused or not', async () => {
  fake = await renderWithLab(<div />);
  await watch(1);
  setPaused(true);
  picture(11);
  await waitFor(() => expect(shown()).toBe(11));
  picture(12);
  await settle();
  await watch(2);
  picture(5, 2);
  await waitFor(() => expect(shown()).toBe(5));
});

test('what a device says of itself is taken only as far as it is understood', () => {
  expect(readInspection({ kind: 'nvme' })).toBeUndefined();
  expect(readInspection(null)).toBeUndefined();
  expect(readInspection({ commands: [{ offset: 0, name: 'NOP', text: '' }, { offset: 'x' }, 3] })).toEqual({
    source: '',
    address: 0,
    bytes: 0,
    records: [{ offset: 0, name: 'NOP', text: '' }],
    total: 0,
    pitch: 0,
  });
});

test('how a picture was made is text', () => {
  const records = [{ offset: 16, name: 'FILL', text: '8 × 8 at 0, 0' }];
  const inspection = { source: 'ring', address: 0x1000, bytes: 64, records, total: 3, pitch: 4096 };
  expect(inspectionText(inspection)).toEqual([
    'Pitch\t4 KiB',
    'Last picture\tring, 64 B at 0x00001000',
    'Commands\t3',
    '0x000010  FILL       8 × 8 at 0, 0',
    'and 2 more',
  ]);
  expect(inspectionText(undefined)).toEqual([]);
});
