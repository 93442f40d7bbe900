// Bulk TCP: one stream from one end of a tunnel to the other, both ends of the same kind, all on the same cores.
//
//    left                                      right
//   ┌──────────────────────────┐              ┌──────────────────────────┐
//   │ iperf3 ── end ── tunnel  u0 ──── veth ──── u0  tunnel ── end ── iperf3 │
//   └──────────────────────────┘              └──────────────────────────┘
//     172.16.2.1      10.9.2.1                   10.9.2.2      172.16.2.2
//
// `wire`: what crosses the underlay are packets of their real size, as on a wire; the receiver may join them again (GRO).
// Otherwise the veth pair keeps its offloads, and super-frames cross it whole.

import { mkdir, rm, writeFile } from 'node:fs/promises';

import { Running, inNamespace, pause, run, runAll } from './command.ts';
import { OvsInstance, STATE, WIDEPLANE } from './device.ts';
import { VNI, offloadsOff } from './topology.ts';
import type { Command } from './command.ts';

const MTU = 1500;
/** Less IPv4, UDP, VXLAN and the inner Ethernet header (RFC 7348, section 5). */
const INNER_MTU = MTU - 50;
const REACH_MS = 20_000;

/** One of the two places. */
export type Place = { namespace: string; underlay: string; remote: string; inside: string };

/** Starts one end in a place; its address is reachable from the other when both run. */
export type StartEnd = (place: Place) => Promise<Running[]>;

export class BulkPair {
  readonly #places: readonly [Place, Place];
  readonly #running: Running[] = [];
  #server: Running | undefined;

  private constructor(name: string) {
    const place = (side: string, own: number, other: number): Place => ({
      namespace: `${name}-${side}`,
      underlay: `10.9.2.${own}`,
      remote: `10.9.2.${other}`,
      inside: `172.16.2.${own}`,
    });
    this.#places = [place('left', 1, 2), place('right', 2, 1)];
  }

  static async open(name: string, start: StartEnd, wire: boolean): Promise<BulkPair> {
    const pair = new BulkPair(name);
    const [left, right] = pair.#places;
    for (const { namespace } of pair.#places) {
      await run(['ip', 'netns', 'add', namespace]);
      await run(inNamespace(namespace, ['sysctl', '-qw', 'net.ipv6.conf.default.disable_ipv6=1']));
      await run(['ip', '-n', namespace, 'link', 'set', 'lo', 'up']);
    }
    const peer = ['type', 'veth', 'peer', 'name', 'u0', 'netns', right.namespace];
    await run(['ip', 'link', 'add', 'u0', 'netns', left.namespace, ...peer]);
    for (const { namespace } of pair.#places) {
      if (wire) await runAll([offloadsOff(namespace, 'u0', ['tx', 'tso', 'tx-udp-segmentation']), groOn(namespace)]);
      await run(['ip', '-n', namespace, 'link', 'set', 'u0', 'mtu', String(MTU), 'up']);
    }
    try {
      for (const place of pair.#places) pair.#running.push(...(await start(place)));
      await pair.#reach();
      const server = ['iperf3', '--server', '--forceflush'];
      pair.#server = await Running.start(inNamespace(right.namespace, server), (text) => text.includes('listening'));
    } catch (error) {
      const logs = pair.#running.map((running) => running.output).join('\n');
      await pair.stop();
      throw new Error(`${name} printed:\n${logs}`, { cause: error });
    }
    return pair;
  }

  /** Gbit/s that arrive. */
  async measure(measureMs: number): Promise<number> {
    const [left, right] = this.#places;
    const seconds = String(Math.max(1, Math.round(measureMs / 1000)));
    const client = ['iperf3', '--client', right.inside, '--time', seconds, '--omit', '1', '--json'];
    const report = JSON.parse(await run(inNamespace(left.namespace, client))) as {
      end: { sum_received: { bits_per_second: number } };
    };
    return report.end.sum_received.bits_per_second / 1e9;
  }

  async stop(): Promise<void> {
    await this.#server?.stop();
    for (const running of this.#running.reverse()) await running.stop();
    for (const { namespace } of this.#places) await run(['ip', 'netns', 'delete', namespace]);
  }

  async #reach(): Promise<void> {
    const [left, right] = this.#places;
    const deadline = Date.now() + REACH_MS;
    const ping = inNamespace(left.namespace, ['ping', '-c', '1', '-W', '1', right.inside]);
    for (;;) {
      try {
        await run(ping);
        return;
      } catch (error) {
        if (Date.now() > deadline) throw error;
        await pause(200);
      }
    }
  }
}

const groOn = (namespace: string): Command => inNamespace(namespace, ['ethtool', '-K', 'u0', 'gro', 'on']);

/** wideplane as a user runs it, with a TAP device as the end and the kernel's sockets below. */
export const startWideplaneEnd: StartEnd = async (place) => {
  await run(['ip', '-n', place.namespace, 'address', 'add', `${place.underlay}/24`, 'dev', 'u0']);
  return startWideplane(place, 'adapter udp', VXLAN);
};

/** The same on an underlay of its own, where super-frames leave through an underlay TAP. */
export const startWideplaneUtapEnd: StartEnd = (place) =>
  startWideplane(place, 'adapter packet-ring tunnel-offload enabled', VXLAN);

/** An underlay whose packets are those of tunnels: GRO is tried on each and joins none. */
const TUNNELS_ONLY = 'adapter packet-ring receive-offloads off';

/** GRE, which leaves an underlay of its own as single packets. */
export const startWideplaneTebEnd: StartEnd = (place) =>
  startWideplane(place, TUNNELS_ONLY, {
    profile: 'net tunnels gre bulk { defaults-from gre encapsulation transparent-ethernet-bridging }',
    key: 0,
  });

export const startWideplaneEtherIpEnd: StartEnd = (place) =>
  startWideplane(place, TUNNELS_ONLY, {
    profile: 'net tunnels etherip bulk { defaults-from etherip }',
    key: 0,
  });

/** The profile `bulk`, and the key of the tunnel. */
type Encapsulation = { profile: string; key: number };

const VXLAN: Encapsulation = {
  profile: 'net tunnels vxlan bulk { defaults-from vxlan udp-checksum enabled }',
  key: VNI,
};

async function startWideplane(place: Place, underlayPort: string, { profile, key }: Encapsulation): Promise<Running[]> {
  const { namespace, underlay, remote, inside } = place;
  const state = `${STATE}/${namespace}`;
  await rm(state, { recursive: true, force: true });
  await mkdir(state, { recursive: true });
  const configuration = `${state}/wideplane.conf`;
  await writeFile(
    configuration,
    `
net interface 1.1 { device u0 ${underlayPort} }
net interface 1.2 { device end adapter tap }
net vlan wan { interfaces { 1.1 { untagged } } mtu ${MTU} }
net vlan inside { interfaces { 1.2 { untagged } } mtu ${MTU} }
net self wan-self { address ${underlay}/24 vlan wan }
${profile}
net tunnels tunnel vx1 { key ${key} local-address ${underlay} remote-address ${remote} profile bulk }
net vlan-group bridge1 { members { inside vx1 } mode transparent bridge-traffic enabled }
`,
  );
  const up = [process.execPath, WIDEPLANE, 'up', '--config', configuration, '--state', `${state}/state`];
  const running = await Running.start(inNamespace(namespace, up), (output) => output.includes('dataplaned ready'));
  await run(['ip', '-n', namespace, 'address', 'add', `${inside}/24`, 'dev', 'end']);
  return [running];
}

export const startKernelEnd: StartEnd = async ({ namespace, underlay, remote, inside }) => {
  const vxlan = ['id', String(VNI), 'dstport', '4789', 'local', underlay, 'remote', remote, 'udpcsum'];
  await runAll([
    ['ip', '-n', namespace, 'address', 'add', `${underlay}/24`, 'dev', 'u0'],
    ['ip', '-n', namespace, 'link', 'add', 'end', 'mtu', String(INNER_MTU), 'type', 'vxlan', ...vxlan],
    ['ip', '-n', namespace, 'address', 'add', `${inside}/24`, 'dev', 'end'],
    ['ip', '-n', namespace, 'link', 'set', 'end', 'up'],
  ]);
  return [];
};

/** Open vSwitch in user space; the end is the device of its own bridge, which is a TAP device too. */
export const startOvsEnd: StartEnd = (place) =>
  startOvs(place, ['type=vxlan', `options:key=${VNI}`, 'options:csum=true']);

export const startOvsGreEnd: StartEnd = (place) => startOvs(place, ['type=gre']);

async function startOvs({ namespace, underlay, remote, inside }: Place, encapsulation: Command): Promise<Running[]> {
  const ovs = await OvsInstance.start(namespace);
  const userSpace = ['datapath_type=netdev', 'fail-mode=standalone'];
  const tunnel = [...encapsulation, `options:remote_ip=${remote}`];
  const [link] = JSON.parse(await run(['ip', '-n', namespace, '-j', 'link', 'show', 'u0'])) as [{ address: string }];
  await ovs.configure([
    ...['--', 'add-br', 'br-phy', '--', 'set', 'bridge', 'br-phy', ...userSpace],
    ...[`other-config:hwaddr=${link.address}`, '--', 'add-port', 'br-phy', 'u0'],
    ...['--', 'add-br', 'end', '--', 'set', 'bridge', 'end', ...userSpace],
    ...['--', 'add-port', 'end', 'tun', '--', 'set', 'interface', 'tun', ...tunnel],
  ]);
  await runAll([
    ['ip', '-n', namespace, 'address', 'add', `${underlay}/24`, 'dev', 'br-phy'],
    ['ip', '-n', namespace, 'link', 'set', 'br-phy', 'mtu', String(MTU), 'up'],
    ['ip', '-n', namespace, 'address', 'add', `${inside}/24`, 'dev', 'end'],
    ['ip', '-n', namespace, 'link', 'set', 'end', 'mtu', String(INNER_MTU), 'up'],
  ]);
  return ovs.processes;
}
