// The machines that `iquery-10000-vs-50-peers` has iqueryd dial: each with a listener and a mesh of its own, in one process.
//
//   node iquery-peers-program.js DIRECTORY PEERS VIRTUAL-SERVERS PORT HEARTBEAT-MS
//
// All virtual servers of a machine have another load at each heartbeat, the machines one behind the other within it.

import type { Log } from '../../src/core/log.ts';
import { Refusals } from '../../src/assembly/iqueryd/refusals.ts';
import { StandingConnections } from '../../src/assembly/iqueryd/standing.ts';
import { TlsListener } from '../../src/assembly/iqueryd/tls-listener.ts';
import type { MeshClock, MeshTransport } from '../../src/iquery/mesh-transport.ts';
import { Mesh } from '../../src/iquery/mesh.ts';
import type { RecordOf } from '../../src/iquery/messages.ts';
import { TrustStore } from '../../src/trust/trust-store.ts';
import { peerAddress } from './iquery-peers.ts';

const [directory = '', ...numbers] = process.argv.slice(2);
const [peers, virtuals, port, heartbeatMs] = numbers.map(Number) as [number, number, number, number];

const quiet = (): void => undefined;
const warn = (message: string): void => console.error(message);
const log: Log = { debug: quiet, info: quiet, warn, error: warn };

const clock: MeshClock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  setTimer(milliseconds, fire) {
    const timer = setTimeout(fire, Math.max(0, Math.ceil(milliseconds)));
    return () => clearTimeout(timer);
  },
};

const transport: MeshTransport = {
  compression: ['gzip'],
  dial: () => {
    throw new Error('these machines dial nobody');
  },
};

function virtualServer(peer: number, index: number, load: number): RecordOf<'vs'> {
  return {
    ...{ message: 'vs', name: `/Common/vs-${peer}-${index}`, address: `10.${peer}.0.${index % 250}`, port: 443 },
    ...{ availability: 'available', state: 'enabled', reason: 'The virtual server is available', since: 1 },
    ...{ connections: load, packets_per_second: 10 * load, kilobytes_per_second: 7 * load },
  };
}

const trust = await TrustStore.open(directory, { hostname: 'peers', now: () => new Date(), log });
const refusals = new Refusals(log, () => clock.now());
const standing = new StandingConnections(trust, refusals);
const listeners: TlsListener[] = [];

for (let peer = 0; peer < peers; peer++) {
  const self = { device: `peer-${peer}`, deviceId: `peer ${peer}`, version: '1.0.0', big3d: 'big3d Version 1.0.0' };
  const mesh = new Mesh({ clock, random: Math.random, self, transport, features: [], log });
  mesh.wantPeers([], { heartbeatMs, syncGroup: 'default', isGtm: false });
  let load = 0;
  const say = (): void => {
    load++;
    const all = Array.from({ length: virtuals }, (_, index) => virtualServer(peer, index, 1000 + load + index));
    mesh.publishAll('vs', all);
    mesh.publish({ message: 'server', name: self.device, version: self.version, cpu: load % 100, connections: load });
  };
  say();
  setTimeout(() => setInterval(say, heartbeatMs), (peer / peers) * heartbeatMs);
  const listener = new TlsListener({
    ...{ trust, standing, refusals, log, patienceMs: () => 3 * heartbeatMs },
    accept: (channel, from) => mesh.accept(channel, from),
  });
  listener.want({ addresses: peerAddress(peer), port, oldestTls: 'TLSV1.2' });
  listeners.push(listener);
}

const waiting = setInterval(() => {
  if (!listeners.every(({ places }) => places.length === 1)) return;
  clearInterval(waiting);
  console.log('ready');
}, 20);
