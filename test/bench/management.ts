// What whoever configures wideplane waits for, with 2,000 tunnels and 100,000 static stations: each against a budget.
//
// Loading that configuration is apply-2000-tunnels in large.ts.

import { IpcClient } from '../../src/ipc/ipc-client.ts';
import { largeConfiguration } from '../support/large-configuration.ts';
import { onCore, run } from './command.ts';
import { WIDEPLANE, startWideplane, startWideplaneWith } from './device.ts';
import { daemonOf, proportionalOctets } from './large.ts';
import { median } from './result.ts';
import { DEVICE_ADDRESS, UNDERLAY_ADDRESS } from './topology.ts';
import { TRAFFIC_CORE } from './traffic.ts';
import type { Bench, DeviceBenchmark } from './benchmark.ts';
import type { Device, StartDevice } from './device.ts';

const TUNNELS = 2000;
const STATIONS = 100_000;
/** How often a short thing is done for one number. */
const REPEATS = 15;

const startManaged: StartDevice = async (topology) => {
  const text = largeConfiguration({ tunnels: TUNNELS, stations: STATIONS, withUnderlay: true });
  const device = await startWideplaneWith(topology, text);
  await device.ready();
  await withTmsh(device, (tmsh) => awaitAcknowledged(device, tmsh));
  return device;
};

type Tmsh = (command: string) => Promise<string>;

/** Commands to the configd of a device, on one connection. */
async function withTmsh<T>(device: Device, use: (tmsh: Tmsh) => Promise<T>): Promise<T> {
  const client = await IpcClient.connect(`${device.state}/state/configd.sock`);
  try {
    return await use(async (command) => {
      let output = '';
      for await (const { text } of client.stream('tmsh', { command })) output += text;
      return output;
    });
  } finally {
    client.close();
  }
}

/** Waits until every daemon runs what configd has. Nothing is asked meanwhile: that would take the daemons' core. */
async function awaitAcknowledged(device: Device, tmsh: Tmsh): Promise<void> {
  const status = await tmsh('show sys config status wait');
  const states = [...status.matchAll(/^State +(.*)$/gm)].map(([, state]) => state);
  if (states.length > 0 && states.every((state) => state === 'in sync')) return;
  throw new Error(`${device.name} does not come to rest:\n${status}`);
}

async function msOf(what: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await what();
  return performance.now() - start;
}

/** The median of several times; `after` each of them what it has made is undone. */
async function medianMs(
  what: () => Promise<unknown>,
  after: () => Promise<unknown> = () => Promise.resolve(),
): Promise<number> {
  const times: number[] = [];
  for (let count = 0; count < REPEATS; count++) {
    times.push(await msOf(what));
    await after();
  }
  return median(times);
}

const budget = (
  name: string,
  unit: string,
  limit: number,
  measure: (bench: Bench) => Promise<number>,
): DeviceBenchmark => ({
  name,
  unit,
  atLeast: 1,
  start: startManaged,
  regardlessOfLoad: true,
  peer: { name: 'budget', limit },
  moreIsBetter: false,
  directions: [],
  discard: true,
  measure,
});

const CREATE = `create net tunnels tunnel added { key 70000 local-address ${DEVICE_ADDRESS} profile vxlan-multipoint remote-address ${UNDERLAY_ADDRESS} }`;

const DELETE = 'delete net tunnels tunnel added';

/** Milliseconds from a command until every daemon has acknowledged what it leads to; each time, another undoes it. */
async function measureChange({ device }: Bench, change: string, undo: string): Promise<number> {
  return withTmsh(device, (tmsh) =>
    medianMs(
      async () => {
        await tmsh(change);
        await awaitAcknowledged(device, tmsh);
      },
      async () => {
        await tmsh(undo);
        await awaitAcknowledged(device, tmsh);
      },
    ),
  );
}

const measureCreate = (bench: Bench): Promise<number> => measureChange(bench, CREATE, DELETE);

async function measureDelete(bench: Bench): Promise<number> {
  await withTmsh(bench.device, (tmsh) => tmsh(CREATE));
  const ms = await measureChange(bench, DELETE, CREATE);
  await withTmsh(bench.device, (tmsh) => tmsh(DELETE));
  return ms;
}

const measureModify = (bench: Bench): Promise<number> =>
  measureChange(bench, 'modify net tunnels tunnel vx00017 tos 8', 'modify net tunnels tunnel vx00017 tos preserve');

/** Where a person hits Tab: a name of two thousand, a key of a forwarding table, and behind a long command. */
const TABS = [
  'list net tunnels tunnel ',
  'modify net vlan-group x members add { vx',
  'modify net fdb tunnel vx00017 records modify { ',
  'modify net tunnels tunnel vx00017 key 7 description "text" remote-address any pro',
];

/** Milliseconds of the slowest of them, on one connection as a shell has it. */
async function measureCompletion({ device }: Bench): Promise<number> {
  const client = await IpcClient.connect(`${device.state}/state/configd.sock`);
  try {
    const times: number[] = [];
    for (const text of TABS) {
      const found = await client.request('complete', { text });
      if (found.problem !== undefined || found.count === 0) throw new Error(`nothing completes ${text}`);
      times.push(await medianMs(() => client.request('complete', { text })));
    }
    return Math.max(...times);
  } finally {
    client.close();
  }
}

export const MANAGEMENT_BENCHMARKS: readonly DeviceBenchmark[] = [
  // With one other tunnel.
  { ...budget('create-one', 'ms', 20, measureCreate), start: startWideplane, directions: ['encapsulate'] },
  budget('create-one-beside-2000-tunnels', 'ms', 20, measureCreate),
  budget('modify-one-beside-2000-tunnels', 'ms', 20, measureModify),
  budget('delete-one-beside-2000-tunnels', 'ms', 20, measureDelete),
  budget('list-2000-tunnels', 's', 1, ({ device }) =>
    withTmsh(device, async (tmsh) => (await msOf(() => tmsh('list'))) / 1000),
  ),
  budget('completion', 'ms', 50, measureCompletion),
  budget('tmsh-start-to-finish', 'ms', 250, ({ device }) => {
    const command = [process.execPath, WIDEPLANE, 'tmsh', '--state', `${device.state}/state`];
    return medianMs(() => run(onCore(Number(TRAFFIC_CORE), [...command, '-c', 'list net tunnels tunnel vx00017'])));
  }),
  budget(
    'configd-memory',
    'MB',
    200,
    async ({ device }) => (await proportionalOctets(await daemonOf(device, 'configd'))) / 1e6,
  ),
];
