// The benchmarks: what each measures, against whom, and the least ratio it shall reach.

import { cpuTimeOf } from './cpu-time.ts';
import {
  startKernelEnd,
  startOvsEnd,
  startOvsGreEnd,
  startWideplaneEnd,
  startWideplaneEtherIpEnd,
  startWideplaneTebEnd,
  startWideplaneUtapEnd,
} from './bulk.ts';
import { startOvsGre, startWideplaneEtherIp, startWideplaneGre, startWideplaneTeb } from './direct.ts';
import { startKernel, startOvs, startSingleCForwarder, startWideplane, startWideplaneOverIpv6 } from './device.ts';
import { pause } from './command.ts';
import { CRYPTO_BENCHMARKS } from './crypto.ts';
import { DNS_BUDGETS } from './dns-budgets.ts';
import { DNS_RING_BENCHMARKS } from './dns-ring.ts';
import { DNS_BENCHMARKS } from './dns.ts';
import { GTM_TOPOLOGY_BENCHMARKS } from './gtm-topology.ts';
import { HEALTH_CHANGE_BENCHMARKS } from './health-change.ts';
import { HEALTH_HTTP_BENCHMARKS } from './health-http.ts';
import { HEALTH_ICMP_BENCHMARKS } from './health-icmp.ts';
import { IQUERY_CHANGE_BENCHMARKS } from './iquery-change.ts';
import { IQUERY_BENCHMARKS } from './iquery-peers.ts';
import { IPSEC_BENCHMARKS } from './ipsec.ts';
import { LARGE_BENCHMARKS } from './large.ts';
import { MANAGEMENT_BENCHMARKS } from './management.ts';
import { ROUTED_BENCHMARKS } from './routed.ts';
import { SEALED_BENCHMARKS } from './sealed.ts';
import { measureRoundTrip, measureThroughput, octetsBehind } from './traffic.ts';
import type { StartEnd } from './bulk.ts';
import type { Device, StartDevice } from './device.ts';
import type { Topology } from './topology.ts';
import type { Direction } from './traffic.ts';

/** One device, running in a topology of its own. */
export type Bench = { topology: Topology; device: Device };

type Judged = {
  name: string;
  unit: string;
  /** The least acceptable ratio; above 1 wideplane is better. */
  atLeast: number;
  /** A budget that is kept on a busy machine is kept: every round counts. */
  regardlessOfLoad?: true;
  /** True where a larger value is better. */
  moreIsBetter: boolean;
};

/** A device between a generator and a sink. */
export type DeviceBenchmark = Judged & {
  /** How wideplane is started, where it is not as usual. */
  start?: StartDevice;
  /** The other device, `c-forwarder` for the one that every round measures anyway, or a limit that is never measured. */
  peer: { name: string; start: StartDevice } | 'c-forwarder' | { name: 'budget'; limit: number };
  /** Directions in which frames must come through before anything is measured. */
  directions: readonly Direction[];
  /** Whether the ends discard what arrives, as floods need it. */
  discard: boolean;
  measure: (bench: Bench, measureMs: number) => Promise<number>;
};

/** A TCP stream through a tunnel with both ends of a kind. */
export type BulkBenchmark = Judged & {
  wideplane: StartEnd;
  peer: { name: string; startEnd: StartEnd };
  /** Whether packets cross the underlay in their real size. */
  wire: boolean;
};

/** Programs that move no frames. */
export type ProgramBenchmark = Judged & {
  own: (measureMs: number) => Promise<number>;
  peer: { name: string; measure: (measureMs: number) => Promise<number> };
};

export type Benchmark = DeviceBenchmark | BulkBenchmark | ProgramBenchmark;

export const isProgram = (benchmark: Benchmark): benchmark is ProgramBenchmark => 'own' in benchmark;

export const isBulk = (benchmark: Benchmark): benchmark is BulkBenchmark => 'wire' in benchmark;

const KERNEL = { name: 'kernel', start: startKernel };
const OVS = { name: 'ovs', start: startOvs };
const OVS_GRE = { name: 'ovs', start: startOvsGre };

const OVS_GRE_END = { name: 'ovs', startEnd: startOvsGreEnd };

export const CONTROL_OCTETS = 64;
const BOTH: readonly Direction[] = ['encapsulate', 'decapsulate'];
const REQUESTS_PER_SECOND = 1000;
/** An idle process wakes now and then: a window shorter than this says little. */
const IDLE_MS = 4000;
const IDLE_LIMIT_PERCENT = 2;

function throughput(
  direction: Direction,
  octets: number,
  peer: DeviceBenchmark['peer'],
  atLeast: number,
): DeviceBenchmark {
  const peerName = typeof peer === 'string' ? peer : peer.name;
  return {
    name: `vxlan-${direction === 'encapsulate' ? 'encap' : 'decap'}-${octets}-vs-${peerName}`,
    unit: 'Mpps',
    atLeast,
    peer,
    moreIsBetter: true,
    directions: BOTH,
    discard: true,
    measure: async ({ topology, device }, measureMs) => {
      const behind = octetsBehind(direction, octets, device);
      return (await measureThroughput(topology, direction, octets, measureMs, behind, device)).framesPerSecond / 1e6;
    },
  };
}

function bulk(name: string, peer: BulkBenchmark['peer'], wire: boolean, atLeast: number): BulkBenchmark {
  return { name, unit: 'Gbit/s', atLeast, moreIsBetter: true, wideplane: startWideplaneEnd, peer, wire };
}

export const BENCHMARKS: readonly Benchmark[] = [
  throughput('encapsulate', 64, KERNEL, 1.5),
  throughput('decapsulate', 64, KERNEL, 1.5),
  throughput('encapsulate', 64, OVS, 3.5),
  throughput('decapsulate', 64, OVS, 3.5),
  throughput('encapsulate', 64, 'c-forwarder', 0.9),
  throughput('encapsulate', 1400, KERNEL, 1.1),
  bulk('vxlan-tcp-vs-ovs', { name: 'ovs', startEnd: startOvsEnd }, true, 5),
  bulk('vxlan-tcp-wire-vs-kernel', { name: 'kernel', startEnd: startKernelEnd }, true, 0.65),
  bulk('vxlan-tcp-veth-vs-kernel', { name: 'kernel', startEnd: startKernelEnd }, false, 0.35),
  {
    ...bulk('vxlan-tcp-utap-vs-kernel', { name: 'kernel', startEnd: startKernelEnd }, false, 0.45),
    wideplane: startWideplaneUtapEnd,
  },
  {
    ...throughput('encapsulate', 64, { name: 'vxlan4', start: startWideplane }, 0.9),
    name: 'vxlan6-encap-64-vs-vxlan4',
    start: startWideplaneOverIpv6,
    // The generator makes outer headers of IPv4 only.
    directions: ['encapsulate'],
  },
  {
    ...throughput('encapsulate', 64, OVS_GRE, 3),
    name: 'gre-teb-encap-64-vs-ovs',
    start: startWideplaneTeb,
  },
  {
    ...throughput('decapsulate', 64, OVS_GRE, 3),
    name: 'gre-teb-decap-64-vs-ovs',
    start: startWideplaneTeb,
  },
  {
    ...throughput('encapsulate', 64, OVS_GRE, 3),
    name: 'etherip-encap-64-vs-ovs-gre',
    start: startWideplaneEtherIp,
    directions: ['encapsulate'],
  },
  {
    ...throughput('encapsulate', 64, { name: 'c-forwarder', start: startSingleCForwarder }, 0.85),
    name: 'gre-encap-64-vs-c-forwarder',
    start: startWideplaneGre,
    directions: ['encapsulate'],
  },
  {
    ...bulk('gre-teb-tcp-vs-ovs', OVS_GRE_END, true, 4),
    wideplane: startWideplaneTebEnd,
  },
  {
    ...bulk('etherip-tcp-vs-ovs-gre', { ...OVS_GRE_END, name: 'ovs-gre' }, true, 4),
    wideplane: startWideplaneEtherIpEnd,
  },
  {
    name: 'vxlan-rtt-vs-ovs',
    unit: 'µs',
    atLeast: 1,
    peer: OVS,
    moreIsBetter: false,
    directions: BOTH,
    discard: false,
    measure: ({ topology }, measureMs) =>
      measureRoundTrip(topology, REQUESTS_PER_SECOND, Math.ceil((measureMs * REQUESTS_PER_SECOND) / 1000)),
  },
  {
    name: 'idle-cpu',
    unit: '% of a core',
    atLeast: 1,
    peer: { name: 'budget', limit: IDLE_LIMIT_PERCENT },
    moreIsBetter: false,
    directions: BOTH,
    discard: true,
    measure: async ({ device }) => {
      if (device.pid === undefined) throw new Error(`${device.name} has no process of its own`);
      const before = await cpuTimeOf(device.pid);
      const start = process.hrtime.bigint();
      await pause(IDLE_MS);
      const used = (await cpuTimeOf(device.pid)) - before;
      return (100 * Number(used)) / Number(process.hrtime.bigint() - start);
    },
  },
  ...LARGE_BENCHMARKS,
  ...ROUTED_BENCHMARKS,
  ...IPSEC_BENCHMARKS,
  ...SEALED_BENCHMARKS,
  ...MANAGEMENT_BENCHMARKS,
  ...CRYPTO_BENCHMARKS,
  ...DNS_BENCHMARKS,
  ...DNS_BUDGETS,
  ...DNS_RING_BENCHMARKS,
  ...GTM_TOPOLOGY_BENCHMARKS,
  ...HEALTH_HTTP_BENCHMARKS,
  ...HEALTH_ICMP_BENCHMARKS,
  ...HEALTH_CHANGE_BENCHMARKS,
  ...IQUERY_BENCHMARKS,
  ...IQUERY_CHANGE_BENCHMARKS,
];

export const peerNameOf = ({ peer }: Benchmark): string => (typeof peer === 'string' ? peer : peer.name);
