import { expect, it } from 'vitest';
import { DisplayMemory, displayBytes } from '#devices/sdk/display.ts';
import { decodePng } from '../testing/png.ts';
import { encodePng, takePicture } from './screenshot.ts';

const red = 0xff00_00ff;

function display() {
  const made = new DisplayMemory(new SharedArrayBuffer(displayBytes(64, 64)), 64, 64);
  made.setMode(5, 3);
  return made;
}

it('has every pixel where it is', async () => {
  const device = display();
  device.begin();
  device.put(0, 0, red);
  device.put(4, 2, 0xff03_0201);
  device.end(true);
  const picture = await takePicture(device);
  expect(picture.frames).toBe(1);
  const { width, height, pixels } = decodePng(encodePng(picture));
  expect([width, height]).toEqual([5, 3]);
  const expected = new Uint8Array(45);
  expected[0] = 255;
  expected.set([1, 2, 3], 42);
  expect(pixels).toEqual(expected);
});

it('waits for a picture that is being drawn', async () => {
  const device = display();
  device.begin();
  device.put(0, 0, red);
  const taken = takePicture(device);
  device.put(1, 0, red);
  device.end(true);
  const { pixels } = await taken;
  expect([...pixels.subarray(0, 8)]).toEqual([255, 0, 0, 255, 255, 0, 0, 255]);
});
