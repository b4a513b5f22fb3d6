import { describe, expect, it } from 'vitest';
import { protopciemModel } from '../protopciem/model.ts';
import { pixelAt } from './display-pixel.ts';
import { FakeMachine } from './fake-bus.ts';
import { FakeMemory } from './fake-host.ts';
import { defaultWorkload } from './initiator.ts';
import { ProtoPciemInitiator } from './protopciem-initiator.ts';
import { testCardPixel } from './test-card.ts';

function make() {
  const machine = new FakeMachine(protopciemModel, {}, () => {}, new FakeMemory(16 * 2 ** 20));
  const driver = new ProtoPciemInitiator(machine, 12);
  // What a thread would sleep through passes on the device's clock too.
  const wait = machine.waitInterrupt.bind(machine);
  machine.waitInterrupt = (vector, timeout) => {
    if (wait(vector, 0)) return true;
    machine.sleep(Math.min(timeout, 5));
    return wait(vector, 0);
  };
  driver.probe();
  return { machine, driver };
}

function wrongPixels(machine: FakeMachine): number {
  const display = machine.host.display!;
  let wrong = 0;
  for (let y = 0; y < display.height; y++) {
    for (let x = 0; x < display.width; x++) {
      const [red, green, blue] = testCardPixel(x, y);
      if (pixelAt(display, x, y) % 2 ** 24 !== red + green * 256 + blue * 65536) wrong++;
    }
  }
  return wrong;
}

describe('the ProtoPCIem initiator', () => {
  it('shows the test card, every pixel of it', () => {
    const { machine, driver } = make();
    expect(machine.logged[0]).toBe('protopciem: version 1.0, monitor PCIem Lab');
    expect(wrongPixels(machine)).toBe(0);
    expect(driver.progress).toMatchObject({ phase: 'Idle', operations: 1, errors: 0 });
  });

  it('makes pictures in every way, without an error, and ends with the test card', () => {
    const { machine, driver } = make();
    const sizes = new Set<string>();
    driver.runWorkload({ ...defaultWorkload, rate: () => 60 }, () => {
      const { width, height } = machine.host.display!;
      sizes.add(`${width}x${height}`);
      return driver.progress.operations >= 55;
    });
    expect(driver.progress).toMatchObject({ errors: 0, lastError: '' });
    expect([...sizes].sort()).toEqual(['640x480', '800x600']);
    expect(machine.host.notes).toEqual([]);
    expect(wrongPixels(machine)).toBe(0);
  }, 30_000);

  it('notices a card that fails, and one that is gone', () => {
    const { machine, driver } = make();
    machine.host.dma.unmapped.add(machine.memoryBase);
    let frames = 0;
    driver.runWorkload({ ...defaultWorkload, rate: () => 0 }, () => ++frames > 20);
    expect(driver.progress.errors).toBeGreaterThan(5);
    expect(driver.progress.lastError).toMatch(/command 5 failed with error 3/);
    machine.gone = true;
    expect(() => driver.runWorkload(defaultWorkload, () => false)).toThrow('all ones');
    driver.remove();
  });
});
