/** The thread that plays the driver on the simulated host: binds to the device, makes traffic, lets go. */
import { workerData } from 'node:worker_threads';
import type { DeviceDescription } from '#devices/sdk/device.ts';
import { defaultWorkload } from '#devices/testing/initiator.ts';
import { initiators } from '#devices/testing/initiators.ts';
import { initiatorBus } from './initiator-bus.ts';
import { SimMachine } from './machine.ts';

export interface InitiatorData {
  readonly machine: SharedArrayBuffer;
  readonly memory: SharedArrayBuffer;
  readonly description: DeviceDescription;
}

const PROGRESS_INTERVAL = 100;

const data = workerData as InitiatorData;
const machine = new SimMachine(data.machine, data.description);
const bus = initiatorBus(machine, new Uint8Array(data.memory));

const factory = initiators.find(({ model }) => model === data.description.model);
if (factory !== undefined) {
  const initiator = factory.create(bus);
  const report = (phase: string): void => {
    const { operations, bytes, errors } = initiator.progress;
    machine.setProgress(phase, operations, bytes, errors);
  };
  try {
    report('Probe');
    initiator.probe();
    machine.driverBound = true;
    while (!machine.gone && !machine.removeAsked) {
      const orders = machine.orders;
      if (!machine.workloadRunning) {
        report('Idle');
        machine.awaitOrders(orders, 1000);
        continue;
      }
      let reported = 0;
      initiator.runWorkload({ ...defaultWorkload, rate: () => machine.workloadRate }, () => {
        const now = performance.now();
        if (now - reported > PROGRESS_INTERVAL) {
          reported = now;
          report('Workload');
        }
        return machine.gone || machine.removeAsked || !machine.workloadRunning;
      });
    }
    if (!machine.gone) initiator.remove();
    report('Removed');
  } catch (error) {
    report(machine.gone ? 'Device gone' : `Failed: ${(error as Error).message}`);
  }
  machine.driverBound = false;
  machine.unmapAll();
}
