import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LoadKeeper } from '../../../../src/assembly/iqueryd/load-keeper.ts';
import {
  cpuTicks,
  deviceCounters,
  loadBetween,
  type MachineCounters,
  memoryAvailable,
} from '../../../../src/assembly/iqueryd/machine-load.ts';
import type { Log } from '../../../../src/core/log.ts';
import { MachineVirtuals } from '../../../../src/health/machine-virtuals.ts';

const quiet = (): void => undefined;
const LOG = { debug: quiet, info: quiet, warn: quiet, error: quiet } as unknown as Log;

describe('what the kernel shows', () => {
  it('reads CPUs, memory and devices', () => {
    assert.deepEqual(cpuTicks('cpu  10 5 20 100 7 1 2 3 50 60\ncpu0 1 2 3\n'), { busy: 41, total: 148 });
    assert.equal(memoryAvailable('MemTotal:  900 kB\nMemFree:  100 kB\nMemAvailable:   700 kB\n'), 700);
    assert.equal(memoryAvailable('MemTotal:  900 kB\nMemFree:  100 kB\n'), 100);
    const devices = `Inter-|   Receive
 face |bytes packets
    lo: 999 9 0 0 0 0 0 0 999 9 0 0 0 0 0 0
  eth0:1000 10 0 0 0 0 0 0 500 5 0 0 0 0 0 0
 wlan0: 100  1 0 0 0 0 0 0   0 0 0 0 0 0 0 0
`;
    assert.deepEqual(deviceCounters(devices), { octets: 1600, packets: 16 });
  });

  it('what is said is what happened between two looks', () => {
    const before = { busy: 100, total: 1000, memoryAvailable: 5, octets: 10_000, packets: 100, atMs: 0 };
    const after = { busy: 350, total: 2000, memoryAvailable: 7, octets: 30_000, packets: 150, atMs: 10_000 };
    const load = { cpu: 25, memoryAvailable: 7, packetsPerSecond: 5, kilobytesPerSecond: 2 };
    assert.deepEqual(loadBetween(before, after), load);
    // An interface has gone.
    assert.equal(loadBetween(after, { ...after, octets: 0, packets: 0, atMs: 20_000 }).packetsPerSecond, 0);
  });
});

describe('which numbers are news', () => {
  const TARGET = { address: '192.0.2.1', port: 80 };
  const NAME = '192.0.2.1 80';
  const counters: MachineCounters = { busy: 1, total: 2, memoryAvailable: 3, octets: 0, packets: 0, atMs: 0 };

  async function rig(): Promise<{ said: (number | undefined)[]; look: (count: number, at: number) => Promise<void> }> {
    let [count, now] = [0, 0];
    const keeper = new LoadKeeper({
      counter: { want: quiet, count: () => Promise.resolve(new Map([[NAME, count]])) },
      readMachine: () => Promise.resolve(counters),
      log: LOG,
      now: () => now,
    });
    const said: (number | undefined)[] = [];
    keeper.limits = new Map([[NAME, [1000]]]);
    keeper.want([TARGET]);
    keeper.onChanged(([target]) => said.push(keeper.loadOf(target!).connections));
    const look = async (next: number, at: number): Promise<void> => {
      [count, now] = [next, at];
      await keeper.look();
    };
    // The first two looks are needed to know what the machine does.
    await look(990, 0);
    await look(990, 1000);
    return { said, look };
  }

  it('a small change waits for the end of the interval', async () => {
    const { said, look } = await rig();
    await look(995, 2000);
    await look(999, 10_000);
    assert.deepEqual(said, [990]);
    await look(998, 11_000);
    assert.deepEqual(said, [990, 998]);
    await look(998, 21_000);
    assert.deepEqual(said, [990, 998]);
  });

  it('a large one does not, nor one over a limit or back', async () => {
    const { said, look } = await rig();
    await look(1000, 2000);
    assert.deepEqual(said, [990]);
    await look(1001, 3000);
    await look(1000, 4000);
    await look(800, 5000);
    assert.deepEqual(said, [990, 1001, 1000, 800]);
  });
});

describe('virtual servers of another machine', () => {
  const virtual = (name: string, address: string) => ({ name, address, port: 80 });

  it('are found by where they are, and else by their names', () => {
    const virtuals = new MachineVirtuals<ReturnType<typeof virtual>>();
    const [a, b] = [virtual('/Common/a', '10.0.0.1'), virtual('/Common/b', '10.0.0.2')];
    for (const each of [a, b]) virtuals.set(each);
    const place = { address: '10.0.0.2', port: 80 };
    assert.equal(virtuals.find({ places: [place], names: ['/Common/a'] }), b);
    assert.equal(virtuals.find({ places: [{ ...place, port: 81 }], names: ['/Common/x', '/Common/a'] }), a);
    assert.equal(virtuals.find({ places: [], names: ['/Common/x'] }), undefined);
    // It has moved.
    virtuals.set(virtual('/Common/b', '10.0.0.3'));
    assert.equal(virtuals.find({ places: [place], names: [] }), undefined);
    assert.equal(virtuals.delete('/Common/b'), true);
    assert.equal(virtuals.find({ places: [{ address: '10.0.0.3', port: 80 }], names: ['/Common/b'] }), undefined);
  });
});
