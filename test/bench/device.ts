// The devices under test: each joins e1 to a VXLAN tunnel over e0 in the middle of a topology, on one core.

import { mkdir, rm, writeFile } from 'node:fs/promises';

import { Running, inNamespace, onCore, pause, run, runAll } from './command.ts';
import {
  DEVICE_ADDRESS,
  DEVICE_ADDRESS_6,
  UNDERLAY_ADDRESS,
  UNDERLAY_ADDRESS_6,
  UNDERLAY_MTU,
  VNI,
  offloadsOff,
  VXLAN_OVERHEAD_OCTETS,
  vxlanDevice,
} from './topology.ts';
import type { Command } from './command.ts';
import type { Topology } from './topology.ts';

/** The core of the device under test; generator, sink and clients are on the other. */
export const DEVICE_CORE = 0;
export const PROGRAMS = 'native-bindings/build/bench';
export const WIDEPLANE = 'dist/bin/main.js';
export const STATE = '/run/wideplane-bench';
const READY_MS = 60_000;

export interface Device {
  readonly name: string;
  /** Processes whose CPU time is the device's; none where the kernel does the work. */
  readonly pid: number | undefined;
  /** Octets that it puts in front of a frame, where they are not those of VXLAN over IPv4. */
  readonly overheadOctets?: number;
  /** What carries frames towards decapsulation, where it is not VXLAN. */
  readonly carrier?: 'gre';
  /** Whether frames are for the device itself, which routes them. */
  readonly isRouter?: boolean;
  /** Directory of its files; empty where it has none. */
  readonly state: string;
  /** What it has printed, for when it does not do its work. */
  log(): string;
  stop(): Promise<void>;
}

/** wideplane as a device under test. */
export interface WideplaneDevice extends Device {
  /** Resolves when all daemons are ready, to the seconds from its start until then. */
  ready(): Promise<number>;
}

export type StartDevice = (topology: Topology) => Promise<Device>;

/** wideplane as a user runs it: `wideplane up` with a configuration file. */
export const startWideplane: StartDevice = (topology) =>
  startWideplaneWith(topology, wideplaneConfiguration(`${DEVICE_ADDRESS}/24`, UNDERLAY_ADDRESS));

/** The same, with IPv6 between the ends of the tunnel. */
export const startWideplaneOverIpv6: StartDevice = async (topology) => {
  await topology.addIpv6();
  const configuration = wideplaneConfiguration(`${DEVICE_ADDRESS_6}/64`, UNDERLAY_ADDRESS_6);
  return { ...(await startWideplaneWith(topology, configuration)), overheadOctets: VXLAN_OVERHEAD_OCTETS[6] };
};

export async function startWideplaneWith(topology: Topology, text: string): Promise<WideplaneDevice> {
  const state = `${STATE}/${topology.device}`;
  await mkdir(state, { recursive: true });
  const configuration = `${state}/wideplane.conf`;
  await writeFile(configuration, text);
  const up = [process.execPath, WIDEPLANE, 'up', '--config', configuration, '--state', `${state}/state`];
  const startMs = performance.now();
  const running = await Running.start(inNamespace(topology.device, onCore(DEVICE_CORE, up)));
  return {
    name: 'wideplane',
    pid: running.pid,
    state,
    ready: async () => {
      while (!running.output.includes('dataplaned ready')) {
        if (performance.now() - startMs > READY_MS) throw new Error(`wideplane is not ready:\n${running.output}`);
        await pause(10);
      }
      return (performance.now() - startMs) / 1000;
    },
    log: () => running.output,
    stop: async () => {
      await running.stop();
      await rm(state, { recursive: true });
    },
  };
}

const wideplaneConfiguration = (self: string, remote: string): string => `
net interface 1.1 { device e0 adapter packet-ring address-owner wideplane transmit-offloads off }
net interface 1.2 { device e1 adapter packet-ring address-owner wideplane transmit-offloads off }
net vlan wan { interfaces { 1.1 { untagged } } mtu ${UNDERLAY_MTU} }
net vlan inside { interfaces { 1.2 { untagged } } }
net self wan-self { address ${self} vlan wan }
net tunnels tunnel vx1 {
    key ${VNI}
    local-address ${self.split('/')[0]!}
    profile vxlan-multipoint
    remote-address ${remote}
}
net vlan-group bridge1 { members { inside vx1 } mode transparent bridge-traffic enabled }
`;

/** The kernel's VXLAN device in a Linux bridge with e1. Its work is done on the core of the sender. */
export const startKernel: StartDevice = async ({ device }) => {
  await runAll([
    ['ip', '-n', device, 'address', 'add', `${DEVICE_ADDRESS}/24`, 'dev', 'e0'],
    vxlanDevice(device, DEVICE_ADDRESS, UNDERLAY_ADDRESS),
    ['ip', '-n', device, 'link', 'add', 'br0', 'type', 'bridge', 'mcast_snooping', '0'],
    ['ip', '-n', device, 'link', 'set', 'vx0', 'master', 'br0', 'up'],
    ['ip', '-n', device, 'link', 'set', 'e1', 'master', 'br0'],
    ['ip', '-n', device, 'link', 'set', 'br0', 'up'],
  ]);
  return { name: 'kernel', pid: undefined, state: '', log: () => '', stop: () => Promise.resolve() };
};

/**
 * Frames go from e1 to e0 as they are: what the same packet I/O can do without a tunnel. It joins them as wideplane does, so
 * the kernel has to finish what leaves.
 */
export const startCForwarder: StartDevice = async ({ device }) => {
  await run(offloadsOff(device, 'e0', ['tx', 'tx-udp-segmentation']));
  return startForwarder(device, []);
};

/** The same, each frame for itself: what a tunnel whose packets nobody cuts can be compared with. */
export const startSingleCForwarder: StartDevice = async ({ device }) => ({
  ...(await startForwarder(device, ['--join', '0'])),
  overheadOctets: 0,
});

async function startForwarder(device: string, options: Command): Promise<Device> {
  const forwarder = [
    `${PROGRAMS}/c-forwarder`,
    '--from',
    'e1',
    '--to',
    'e0',
    '--core',
    String(DEVICE_CORE),
    ...options,
  ];
  const running = await Running.start(inNamespace(device, forwarder), (output) => output.includes('ready'));
  return { name: 'c-forwarder', pid: running.pid, state: '', log: () => running.output, stop: () => running.stop() };
}

/** A database server and a user-space switch of Open vSwitch in a namespace. */
export class OvsInstance {
  readonly processes: Running[] = [];
  readonly directory: string;
  readonly #namespace: string;

  private constructor(namespace: string) {
    this.#namespace = namespace;
    this.directory = `${STATE}/${namespace}`;
  }

  /** `pin`: makes the switch's command run where it shall. */
  static async start(
    namespace: string,
    pin: (command: Command) => Command = (command) => command,
  ): Promise<OvsInstance> {
    const instance = new OvsInstance(namespace);
    const { directory } = instance;
    // What a benchmark before this one has left.
    await rm(directory, { recursive: true, force: true });
    await mkdir(directory, { recursive: true });
    const environment = { ...process.env };
    for (const name of ['OVS_RUNDIR', 'OVS_DBDIR', 'OVS_LOGDIR', 'OVS_SYSCONFDIR']) environment[name] = directory;
    const database = `${directory}/conf.db`;
    await run(['ovsdb-tool', 'create', database, '/usr/share/openvswitch/vswitch.ovsschema']);
    const server = ['ovsdb-server', database, `--remote=punix:${directory}/db.sock`];
    instance.processes.push(await Running.start(instance.#inside(server), undefined, environment));
    await instance.#control(['--no-wait', 'init'], ['--retry', '--timeout=10']);
    const vswitchd = pin(['ovs-vswitchd', `unix:${directory}/db.sock`, `--unixctl=${directory}/vswitchd.ctl`]);
    instance.processes.push(await Running.start(instance.#inside(vswitchd), undefined, environment));
    return instance;
  }

  get vswitchd(): Running {
    return this.processes[1]!;
  }

  /** Arguments of ovs-vsctl; returns when the switch has taken them over. */
  async configure(words: Command): Promise<void> {
    await this.#control(words, ['--timeout=20']);
  }

  async appctl(words: Command): Promise<void> {
    await run(this.#inside(['ovs-appctl', '--target', `${this.directory}/vswitchd.ctl`, ...words]));
  }

  async stop(): Promise<void> {
    for (const running of [...this.processes].reverse()) await running.stop();
    await rm(this.directory, { recursive: true });
  }

  async #control(words: Command, options: Command): Promise<void> {
    await run(this.#inside(['ovs-vsctl', ...options, `--db=unix:${this.directory}/db.sock`, ...words]));
  }

  #inside(command: Command): Command {
    const places = [`OVS_RUNDIR=${this.directory}`, `OVS_DBDIR=${this.directory}`];
    return inNamespace(this.#namespace, ['env', ...places, ...command]);
  }
}

/** Open vSwitch in user space: br-phy carries e0 and the underlay address, br-int joins e1 and the tunnel port. */
export const startOvs: StartDevice = (topology) => startOvsWith(topology, ['type=vxlan', `options:key=${VNI}`]);

export async function startOvsWith(topology: Topology, kind: Command): Promise<Device> {
  const namespace = topology.device;
  const ovs = await OvsInstance.start(namespace, (command) => onCore(DEVICE_CORE, command));
  const mac = await topology.macOf('device', 'e0');
  const farMac = await topology.macOf('underlay', 's0');
  const tunnel = [...kind, `options:remote_ip=${UNDERLAY_ADDRESS}`];
  const userSpace = ['datapath_type=netdev', 'fail-mode=standalone'];
  await ovs.configure([
    ...['--', 'add-br', 'br-phy', '--', 'set', 'bridge', 'br-phy', ...userSpace, `other-config:hwaddr=${mac}`],
    ...['--', 'add-port', 'br-phy', 'e0'],
    ...['--', 'add-br', 'br-int', '--', 'set', 'bridge', 'br-int', ...userSpace],
    ...['--', 'add-port', 'br-int', 'e1'],
    ...['--', 'add-port', 'br-int', 'tun', '--', 'set', 'interface', 'tun', ...tunnel],
  ]);
  await runAll([
    ['ip', '-n', namespace, 'address', 'add', `${DEVICE_ADDRESS}/24`, 'dev', 'br-phy'],
    ['ip', '-n', namespace, 'link', 'set', 'br-phy', 'mtu', String(UNDERLAY_MTU), 'up'],
  ]);
  await ovs.appctl(['tnl/neigh/set', 'br-phy', UNDERLAY_ADDRESS, farMac]);
  return {
    name: 'ovs',
    pid: ovs.vswitchd.pid,
    state: ovs.directory,
    log: () => ovs.vswitchd.output,
    stop: () => ovs.stop(),
  };
}
