// What is measured: frames a second that arrive behind the device under test, and round trips through it.

import { Running, inNamespace, pause, run } from './command.ts';
import { PROGRAMS } from './device.ts';
import { DEVICE_ADDRESS, FAR_ADDRESS, UNDERLAY_ADDRESS, VNI, VXLAN_OVERHEAD_OCTETS } from './topology.ts';
import type { Command } from './command.ts';
import type { Device } from './device.ts';
import type { Topology } from './topology.ts';

export type Direction = 'encapsulate' | 'decapsulate';

/** The core of everything but the device under test. */
export const TRAFFIC_CORE = '1';
/** Pairs of hosts that speak at the same time, each with MAC addresses and a UDP port of its own. */
const FLOWS = 16;
/** The first host on either side; flow f adds f. */
export const INSIDE_MAC = '02:00:00:aa:00:01';
const FAR_MAC = '02:00:00:bb:00:01';
/**
 * Frames that the kernel cuts from one message of the generator, where it can: enough to be faster than every device, few
 * enough that flows alternate as in a network.
 */
const SEGMENTS = 8;
const SETTLE_MS = 300;
const LEARNING_PATIENCE_MS = 20_000;

export type Throughput = {
  /** Frames a second that arrived behind the device. */
  framesPerSecond: number;
  /** Frames a second that the generator offered. */
  offeredPerSecond: number;
};

/** Offers frames of `octets` as fast as one core can, and counts what arrives behind the device for `measureMs`. */
export async function measureThroughput(
  topology: Topology,
  direction: Direction,
  octets: number,
  measureMs: number,
  expectedOctets: number,
  device?: Device,
): Promise<Throughput> {
  const segmented = await canSegment(topology);
  return measureArrivals(topology, direction, measureMs, expectedOctets, (seconds) =>
    generator(topology, direction, octets, ['--seconds', String(seconds)], segmented, device),
  );
}

/** Runs a generator, and counts what arrives behind the device for `measureMs`. */
export async function measureArrivals(
  topology: Topology,
  direction: Direction,
  measureMs: number,
  expectedOctets: number,
  generatorFor: (seconds: number) => Command | Promise<Command>,
): Promise<Throughput> {
  const sink = farEnd(topology, direction);
  const [sent, counted] = await Promise.all([
    run(await generatorFor((SETTLE_MS + measureMs + 150) / 1000)),
    run(
      inNamespace(sink.namespace, [
        ...[`${PROGRAMS}/sink`, '--device', sink.device, '--core', TRAFFIC_CORE],
        ...['--settle-ms', String(SETTLE_MS), '--measure-ms', String(measureMs)],
      ]),
    ),
  ]);
  const offered = JSON.parse(sent) as { packetsPerSecond: number };
  const arrived = JSON.parse(counted) as { packets: number; octets: number; packetsPerSecond: number };
  const mean = arrived.octets / arrived.packets;
  if (!(Math.abs(mean - expectedOctets) <= expectedOctets * 0.01)) {
    throw new Error(
      `${topology.device}: ${arrived.packets} frames arrived with ${mean.toFixed(1)} octets each, ` +
        `not with ${expectedOctets}: the device does not do what is measured`,
    );
  }
  return { framesPerSecond: arrived.packetsPerSecond, offeredPerSecond: offered.packetsPerSecond };
}

/** Octets of a frame behind the device. */
export const octetsBehind = (direction: Direction, octets: number, device: Pick<Device, 'overheadOctets'>): number =>
  direction === 'encapsulate' ? octets + (device.overheadOctets ?? VXLAN_OVERHEAD_OCTETS[4]) : octets;

/** Lets the hosts of both sides speak until frames come through, so that the device has learned where they live. */
export async function awaitForwarding(
  topology: Topology,
  directions: readonly Direction[],
  under?: Device,
): Promise<void> {
  const deadline = Date.now() + LEARNING_PATIENCE_MS;
  for (;;) {
    let passed = 0;
    for (const direction of directions) {
      const { namespace, device } = farEnd(topology, direction);
      const before = await topology.arrivals(namespace, device);
      await run(await generator(topology, direction, 64, ['--count', String(FLOWS)], false, under));
      await pause(50);
      if ((await topology.arrivals(namespace, device)) - before >= FLOWS) passed++;
    }
    if (passed === directions.length) return;
    if (Date.now() > deadline) throw new Error(`${topology.device}: no frame comes through the device`);
    await pause(200);
  }
}

/** The median round trip in microseconds of `count` requests at `rate` a second, from inside to the far end of the tunnel. */
export async function measureRoundTrip(topology: Topology, rate: number, count: number): Promise<number> {
  const echo = `${PROGRAMS}/echo`;
  const port = '7000';
  const server = await Running.start(
    inNamespace(topology.underlay, [echo, '--serve', port, '--core', TRAFFIC_CORE]),
    (output) => output.includes('ready'),
  );
  try {
    const client = [echo, '--to', FAR_ADDRESS, '--port', port, '--core', TRAFFIC_CORE];
    const asked = ['--rate', String(rate), '--count', String(count)];
    const result = JSON.parse(await run(inNamespace(topology.inside, [...client, ...asked]))) as {
      lost: number;
      p50: number;
    };
    if (result.lost > count / 100) throw new Error(`${topology.device}: ${result.lost} of ${count} requests were lost`);
    return result.p50 / 1000;
  } finally {
    await server.stop();
  }
}

function farEnd(topology: Topology, direction: Direction): { namespace: string; device: string } {
  return direction === 'encapsulate'
    ? { namespace: topology.underlay, device: 's0' }
    : { namespace: topology.inside, device: 'g0' };
}

/** The generator's command; towards decapsulation each frame has its outer headers already. */
async function generator(
  topology: Topology,
  direction: Direction,
  octets: number,
  amount: readonly string[],
  segmented: boolean,
  device?: Device,
): Promise<Command> {
  const common = [
    ...[`${PROGRAMS}/generator`, '--octets', String(octets), '--flows', String(FLOWS), '--core', TRAFFIC_CORE],
    ...(segmented ? ['--segments', String(SEGMENTS)] : []),
    ...amount,
  ];
  if (direction === 'encapsulate') {
    const macs = ['--source-mac', INSIDE_MAC, '--destination-mac', FAR_MAC];
    if (device?.isRouter === true) {
      macs.splice(3, 1, await topology.macOf('device', 'e1'), '--router', '1');
    }
    return inNamespace(topology.inside, [...common, '--device', 'g0', ...macs]);
  }
  const isGre = device?.carrier === 'gre';
  return inNamespace(topology.underlay, [
    ...[...common, '--device', isGre ? 'f0' : 's0', '--source-mac', FAR_MAC, '--destination-mac', INSIDE_MAC],
    ...['--outer-source-mac', await topology.macOf('underlay', 's0')],
    ...['--outer-destination-mac', await topology.macOf('device', 'e0')],
    ...['--outer-source-ip', UNDERLAY_ADDRESS, '--outer-destination-ip', DEVICE_ADDRESS],
    ...(isGre ? ['--gre', '1'] : ['--vni', String(VNI)]),
  ]);
}

let segmentation: Promise<boolean> | undefined;

/** Whether this kernel cuts the generator's super-frames (since 6.2). */
export function canSegment(topology: Topology): Promise<boolean> {
  segmentation ??= generator(topology, 'encapsulate', 64, ['--count', '1'], true)
    .then(run)
    .then(
      () => true,
      () => false,
    );
  return segmentation;
}
