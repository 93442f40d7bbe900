// A worker thread that sends back what a port receives, until an eventfd tells it to stop.

import { parentPort, workerData } from 'node:worker_threads';
import { loadAddon } from '../../src/native/addon.ts';
import { FrameBatch } from '../../src/packet/frame.ts';
import { type PacketRingDescription, PacketRingPort } from '../../src/port/packet-ring.ts';

const { description, stop } = workerData as { description: PacketRingDescription; stop: number };
const loaded = loadAddon();
if (loaded.addon === undefined) throw new Error(loaded.reason);
const { addon } = loaded;
const port = new PacketRingPort(addon, description, () => performance.now());
const descriptors = Int32Array.from([stop, ...port.descriptors].flatMap((descriptor) => [descriptor, 0]));
const batch = new FrameBatch();
let echoed = 0;
let refused = 0;

while (true) {
  batch.clear();
  if (port.receive(batch) === 0) {
    addon.wait(descriptors, descriptors.length / 2, 1000, 0);
    if (descriptors[1] !== 0) break;
    continue;
  }
  echoed += batch.length;
  port.transmit(batch, () => (refused += 1));
}
addon.eventDrain(stop);
port.close();
parentPort?.postMessage({ echoed, refused });
