// The devices under test: each joins e1 to a VXLAN tunnel over e0 in the middle of a topology, on one core.

import { mkdir, rm, writeFile } from 'node:fs/promises';

import { Running, inNamespace, onCore, pause, run, runAll } from './command.ts';
import { DEVICE_ADDRESS, UNDERLAY_ADDRESS, UNDERLAY_MTU, VNI, vxlanDevice } from './topology.ts';
import type { Command } from './command.ts';
import type { Topology } from './topology.ts';

/** The core of the device under test; generator, sink and clients are on the other. */
export const DEVICE_CORE = 0;
export const PROGRAMS = 'native-bindings/build/bench';
const WIDEPLANE = 'dist/src/cli/main.js';
const STATE = '/run/wideplane-bench';
const READY_MS = 60_000;

export interface Device {
  readonly name: string;
  /** Processes whose CPU time is the device's; none where the kernel does the work. */
  readonly pid: number | undefined;
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
export const startWideplane: StartDevice = (topology) => startWideplaneWith(topology, WIDEPLANE_CONFIGURATION);

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

const WIDEPLANE_CONFIGURATION = `
net interface 1.1 { device e0 adapter packet-ring address-owner wideplane }
net interface 1.2 { device e1 adapter packet-ring address-owner wideplane }
net vlan wan { interfaces { 1.1 { untagged } } mtu ${UNDERLAY_MTU} }
net vlan inside { interfaces { 1.2 { untagged } } }
net self wan-self { address ${DEVICE_ADDRESS}/24 vlan wan }
net tunnels tunnel vx1 {
    key ${VNI}
    local-address ${DEVICE_ADDRESS}
    profile vxlan-multipoint
    remote-address ${UNDERLAY_ADDRESS}
}
net vlan-group bridge1 { members { inside vx1 } }
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

/** Frames go from e1 to e0 as they are: what the same packet I/O can do without a tunnel. */
export const startCForwarder: StartDevice = async ({ device }) => {
  const forwarder = [`${PROGRAMS}/c-forwarder`, '--from', 'e1', '--to', 'e0', '--core', String(DEVICE_CORE)];
  const running = await Running.start(inNamespace(device, forwarder), (output) => output.includes('ready'));
  return { name: 'c-forwarder', pid: running.pid, state: '', log: () => running.output, stop: () => running.stop() };
};

/** Open vSwitch in user space: br-phy carries e0 and the underlay address, br-int joins e1 and the tunnel port. */
export const startOvs: StartDevice = async (topology) => {
  const namespace = topology.device;
  const directory = `${STATE}/${namespace}`;
  await mkdir(directory, { recursive: true });
  const environment = { ...process.env };
  for (const name of ['OVS_RUNDIR', 'OVS_DBDIR', 'OVS_LOGDIR', 'OVS_SYSCONFDIR']) environment[name] = directory;
  const inside = (command: Command): Command =>
    inNamespace(namespace, ['env', `OVS_RUNDIR=${directory}`, `OVS_DBDIR=${directory}`, ...command]);
  const socket = `${directory}/db.sock`;
  const control = `${directory}/vswitchd.ctl`;

  await run(['ovsdb-tool', 'create', `${directory}/conf.db`, '/usr/share/openvswitch/vswitch.ovsschema']);
  const database = await Running.start(
    inside(['ovsdb-server', `${directory}/conf.db`, `--remote=punix:${socket}`]),
    undefined,
    environment,
  );
  await run(inside(['ovs-vsctl', '--retry', '--timeout=10', `--db=unix:${socket}`, '--no-wait', 'init']));
  const vswitchd = await Running.start(
    inside(onCore(DEVICE_CORE, ['ovs-vswitchd', `unix:${socket}`, `--unixctl=${control}`])),
    undefined,
    environment,
  );

  const mac = await topology.macOf('device', 'e0');
  const farMac = await topology.macOf('underlay', 's0');
  const tunnel = ['type=vxlan', `options:key=${VNI}`, `options:remote_ip=${UNDERLAY_ADDRESS}`];
  const userSpace = ['datapath_type=netdev', 'fail-mode=standalone'];
  await runAll([
    inside([
      ...['ovs-vsctl', '--timeout=20', `--db=unix:${socket}`],
      ...['--', 'add-br', 'br-phy', '--', 'set', 'bridge', 'br-phy', ...userSpace, `other-config:hwaddr=${mac}`],
      ...['--', 'add-port', 'br-phy', 'e0'],
      ...['--', 'add-br', 'br-int', '--', 'set', 'bridge', 'br-int', ...userSpace],
      ...['--', 'add-port', 'br-int', 'e1'],
      ...['--', 'add-port', 'br-int', 'tun', '--', 'set', 'interface', 'tun', ...tunnel],
    ]),
    ['ip', '-n', namespace, 'address', 'add', `${DEVICE_ADDRESS}/24`, 'dev', 'br-phy'],
    ['ip', '-n', namespace, 'link', 'set', 'br-phy', 'mtu', String(UNDERLAY_MTU), 'up'],
    inside(['ovs-appctl', '--target', control, 'tnl/neigh/set', 'br-phy', UNDERLAY_ADDRESS, farMac]),
  ]);
  return {
    name: 'ovs',
    pid: vswitchd.pid,
    state: directory,
    log: () => vswitchd.output,
    stop: async () => {
      await vswitchd.stop();
      await database.stop();
      await rm(directory, { recursive: true });
    },
  };
};
