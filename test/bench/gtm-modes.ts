// What a choice costs in each mode: `node dist/test/bench/gtm-modes.js` prints nanoseconds for pools of several sizes.
//
// Every member is usable and measured, clients change from choice to choice, and all modes are measured in one process, as
// they are used: none has code that was made for it alone.

import { MEMBER_MODES, type MemberMode, POOL_MODES } from '../../src/gtm/description.ts';
import { Stage } from '../../src/gtm/member-selector.ts';
import { PoolsAmong } from '../../src/gtm/pool-selector.ts';
import { GtmRig } from '../support/gtm-rig.ts';

const SIZES = [1, 4, 16, 64];
/** Members are in so many datacenters. */
const DATACENTERS = 2;
const CHOICES = 400_000;
const ROUNDS = 7;
const CLIENTS = 256;
const ENDS: readonly MemberMode[] = ['drop-packet', 'fallback-ip', 'none', 'return-to-dns'];
/** All qualities that can be measured. */
const QOS = {
  rtt: 50,
  hops: 1,
  hitRatio: 5,
  kilobytesPerSecond: 3,
  packetRate: 1,
  topology: 1,
  vsCapacity: 1,
  vsScore: 1,
};

const clients = Array.from({ length: CLIENTS }, (_, client) => Uint8Array.of(10, 0, client >>> 4, (client & 15) * 3));

function rigOf(size: number): GtmRig {
  const pool = {
    members: Array.from({ length: size }, (_, member) => ({
      ratio: (member % 5) + 1,
      datacenter: member % DATACENTERS,
    })),
    qos: QOS,
  };
  const references = {
    pools: Array.from({ length: size }, (_, number) => ({ pool: number, ratio: (number % 5) + 1 })),
  };
  const pools = [pool, ...new Array<{ members: [object] }>(size - 1).fill({ members: [{}] })];
  const rig = new GtmRig(
    pools,
    POOL_MODES.map((mode) => ({ mode, ...references })),
    {},
    1,
    4096,
  );
  for (let member = 0; member < size; member++) {
    const number = (member * 7919) % 101;
    const metrics = { connections: number, packetsPerSecond: number, kilobytesPerSecond: number };
    rig.measure(member, { ...metrics, capacity: number, score: number, cpu: number });
    rig.scores.set(member, number);
    rig.scores.set(1000 + member, number);
  }
  for (const client of clients) {
    rig.client.setResolver(client, 0, 4);
    for (let datacenter = 0; datacenter < DATACENTERS; datacenter++) {
      rig.measurePath(datacenter, { roundTripTime: 1000 + datacenter, hops: 5, completionRate: 990 });
    }
  }
  return rig;
}

/** Nanoseconds of CPU time in the fastest round: others may use the machine. */
function costOf(rig: GtmRig, choose: () => number): number {
  let best = Infinity;
  for (let round = 0; round < ROUNDS; round++) {
    const start = process.cpuUsage();
    let chosen = 0;
    for (let choice = 0; choice < CHOICES; choice++) {
      rig.client.setResolver(clients[choice % CLIENTS]!, 0, 4);
      chosen += choose();
    }
    const { user, system } = process.cpuUsage(start);
    if (chosen < 0) throw new Error('nothing was chosen');
    best = Math.min(best, (1000 * (user + system)) / CHOICES);
  }
  return best;
}

const costs = new Map<string, number[]>();
const note = (name: string, cost: number): void => {
  costs.set(name, [...(costs.get(name) ?? []), cost]);
};

for (const size of SIZES) {
  const rig = rigOf(size);
  const tried = new Uint8Array(size);
  note(
    'nothing (the loop itself)',
    costOf(rig, () => 0),
  );
  for (const [number, mode] of MEMBER_MODES.entries()) {
    if (ENDS.includes(mode)) continue;
    note(
      mode,
      costOf(rig, () => rig.members.choose(0, number, Stage.preferred, rig.client, 1)),
    );
  }
  for (const [wideIp, mode] of POOL_MODES.entries()) {
    note(
      `pools by ${mode}`,
      costOf(rig, () => rig.pools.choose(wideIp, rig.client, PoolsAmong.available, tried)),
    );
  }
}

console.log(`${'ns for a choice among'.padEnd(34)}${SIZES.map((size) => String(size).padStart(8)).join('')}`);
for (const [name, of] of costs)
  console.log(`${name.padEnd(34)}${of.map((cost) => cost.toFixed(1).padStart(8)).join('')}`);
