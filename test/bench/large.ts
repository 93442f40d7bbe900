// wideplane with 2,000 tunnels and a million stations, against itself with one; and what a large change costs while it runs.

import { readFile, readdir, writeFile } from 'node:fs/promises';

import { IpcClient } from '../../src/ipc/ipc-client.ts';
import { largeConfiguration, stationMac } from '../support/large-configuration.ts';
import { Running, inNamespace, pause, run } from './command.ts';
import { PROGRAMS, startWideplaneWith } from './device.ts';
import { FAR_ADDRESS } from './topology.ts';
import { INSIDE_MAC, TRAFFIC_CORE, measureArrivals, octetsBehind } from './traffic.ts';
import type { Bench, Benchmark } from './benchmark.ts';
import type { Command } from './command.ts';
import type { Device, StartDevice } from './device.ts';
import type { Topology } from './topology.ts';
import type { Throughput } from './traffic.ts';

const TUNNELS = 2000;
const STATIONS = 1_000_000;
/** Stations of the smaller case, in which tunnels come to a running data plane. */
const ADDED_STATIONS = 100_000;
const ADDED_FIRST = 1000;
const OCTETS = 64;
const WARM_UP_FRAMES = 20_000;
const WARM_UP_PAUSE_MS = 300;
const PATIENCE_MS = 60_000;
/** The stream that must not have a gap: packets a second, there and back, and how many. */
const STREAM_RATE = 1000;
const STREAM_COUNT = 8000;

/** How many stations random frames are sent to, by device. */
const stationsOf = new WeakMap<Device, number>();
const secondsToStart = new WeakMap<Device, number>();

const startLarge =
  (tunnels: number, stations: number): StartDevice =>
  async (topology) => {
    const text = largeConfiguration({ tunnels, stations, withUnderlay: true });
    await run(['ip', '-n', topology.underlay, 'route', 'add', 'local', '10.9.8.0/21', 'dev', 'lo']);
    const device = await startWideplaneWith(topology, text);
    stationsOf.set(device, stations);
    secondsToStart.set(device, await device.ready());
    await resolveEnds(topology, device);
    return device;
  };

/** Sends to random stations until the next hop of every tunnel is known: until no frame has to wait any more. */
async function resolveEnds(topology: Topology, device: Device): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const before = await topology.arrivals(topology.underlay, 's0');
    await run(randomGenerator(topology, device, ['--count', String(WARM_UP_FRAMES)]));
    await pause(WARM_UP_PAUSE_MS);
    const arrived = (await topology.arrivals(topology.underlay, 's0')) - before;
    if (arrived >= WARM_UP_FRAMES) return;
    if (Date.now() > deadline) throw new Error(`${topology.device}: only ${arrived} of ${WARM_UP_FRAMES} come through`);
  }
}

function sendAtRandom(topology: Topology, device: Device, measureMs: number): Promise<Throughput> {
  return measureArrivals(topology, 'encapsulate', measureMs, octetsBehind('encapsulate', OCTETS, device), (seconds) =>
    randomGenerator(topology, device, ['--seconds', String(seconds)]),
  );
}

/** Single frames, so that each goes to a station of its own. */
function randomGenerator(topology: Topology, device: Device, amount: readonly string[]): Command {
  const macs = ['--source-mac', INSIDE_MAC, '--destination-mac', stationMac(0)];
  return inNamespace(topology.inside, [
    ...[`${PROGRAMS}/generator`, '--octets', String(OCTETS), '--flows', '64', '--core', TRAFFIC_CORE],
    ...['--device', 'g0', ...macs, '--destinations', String(stationsOf.get(device)!), ...amount],
  ]);
}

const startMany = startLarge(TUNNELS, STATIONS);

export const LARGE_BENCHMARKS: readonly Benchmark[] = [
  {
    name: 'vxlan-many-vs-one',
    unit: 'Mpps',
    atLeast: 0.6,
    start: startMany,
    peer: { name: 'one-tunnel', start: startLarge(1, 16) },
    moreIsBetter: true,
    directions: [],
    discard: true,
    measure: async ({ topology, device }, measureMs) =>
      (await sendAtRandom(topology, device, measureMs)).framesPerSecond / 1e6,
  },
  {
    name: 'dataplaned-memory',
    unit: 'MB',
    atLeast: 1,
    start: startMany,
    regardlessOfLoad: true,
    peer: { name: 'budget', limit: 250 },
    moreIsBetter: false,
    directions: [],
    discard: true,
    measure: async ({ device }) => (await proportionalOctets(await daemonOf(device, 'dataplaned'))) / 1e6,
  },
  {
    name: 'start-million-stations',
    unit: 's',
    atLeast: 1,
    start: startMany,
    regardlessOfLoad: true,
    peer: { name: 'budget', limit: 20 },
    moreIsBetter: false,
    directions: [],
    discard: true,
    measure: ({ device }) => Promise.resolve(secondsToStart.get(device)!),
  },
  {
    name: 'apply-2000-tunnels',
    unit: 's',
    atLeast: 1,
    regardlessOfLoad: true,
    peer: { name: 'budget', limit: 5 },
    moreIsBetter: false,
    directions: ['encapsulate', 'decapsulate'],
    discard: false,
    measure: async (bench) => {
      const file = await writeAddition(bench);
      const seconds = await timeWithoutGap(bench, [`load sys config file ${file} merge`]);
      await timeOf(bench.device, ['load sys config']);
      return seconds;
    },
  },
  {
    name: 'apply-one-vlan-beside-2000-tunnels',
    unit: 's',
    atLeast: 1,
    regardlessOfLoad: true,
    peer: { name: 'budget', limit: 1 },
    moreIsBetter: false,
    directions: ['encapsulate', 'decapsulate'],
    discard: false,
    measure: async (bench) => {
      const file = await writeAddition(bench);
      await timeOf(bench.device, [`load sys config file ${file} merge`]);
      const seconds = await timeWithoutGap(bench, ['create net vlan added tag 77']);
      await timeOf(bench.device, ['load sys config']);
      return seconds;
    },
  },
];

async function writeAddition({ device }: Bench): Promise<string> {
  const file = `${device.state}/addition.conf`;
  const size = { tunnels: TUNNELS, stations: ADDED_STATIONS, first: ADDED_FIRST };
  await writeFile(file, largeConfiguration({ ...size, withUnderlay: false }));
  return file;
}

/** As timeOf, while a stream passes through another tunnel; throws when a packet of it is lost. */
async function timeWithoutGap({ topology, device }: Bench, commands: readonly string[]): Promise<number> {
  const echo = `${PROGRAMS}/echo`;
  const port = '7001';
  const server = await Running.start(
    inNamespace(topology.underlay, [echo, '--serve', port, '--core', TRAFFIC_CORE]),
    (output) => output.includes('ready'),
  );
  try {
    const client = [echo, '--to', FAR_ADDRESS, '--port', port, '--core', TRAFFIC_CORE];
    const stream = run(
      inNamespace(topology.inside, [...client, '--rate', String(STREAM_RATE), '--count', String(STREAM_COUNT)]),
    );
    await pause(500);
    const seconds = await timeOf(device, commands);
    const { lost } = JSON.parse(await stream) as { lost: number };
    if (lost > 0) throw new Error(`${device.name}: ${lost} packets were lost during ${commands.join('; ')}`);
    return seconds;
  } finally {
    await server.stop();
  }
}

/** Seconds from the first command until dataplaned runs the configuration that they lead to. */
async function timeOf(device: Device, commands: readonly string[]): Promise<number> {
  const client = await IpcClient.connect(`${device.state}/state/configd.sock`);
  const tmsh = async (command: string): Promise<string> => {
    let output = '';
    for await (const { text } of client.stream('tmsh', { command })) output += text;
    return output;
  };
  try {
    const start = performance.now();
    for (const command of commands) await tmsh(command);
    for (;;) {
      const status = await tmsh('show sys config status');
      const dataplaned = status.slice(status.indexOf('dataplaned'));
      if (/State +in sync/.test(dataplaned)) return (performance.now() - start) / 1000;
      if (performance.now() - start > PATIENCE_MS) throw new Error(`${device.name} does not come to rest:\n${status}`);
      await pause(10);
    }
  } finally {
    client.close();
  }
}

/** The process of one daemon of a device. */
export async function daemonOf(device: Pick<Device, 'name' | 'state'>, daemon: string): Promise<number> {
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const command = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0');
    if (command.includes(daemon) && command.includes(`${device.state}/state`)) return Number(pid);
  }
  throw new Error(`${device.name} has no ${daemon}`);
}

/** Memory of a process, pages that it shares counted in part (PSS, proc(5)). */
export async function proportionalOctets(pid: number): Promise<number> {
  const rollup = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8');
  return Number(/^Pss:\s+(\d+) kB$/m.exec(rollup)![1]) * 1024;
}
