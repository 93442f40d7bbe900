// Open vSwitch in user-space mode (datapath_type=netdev) as a peer, an instance of its own in a namespace.
//
//   br-phy  holds the underlay device and its addresses; only where there are tunnels
//   br-int  the inner switch: tunnel ports, and devices plugged into it

import { makeDirectory, type Namespace } from './namespace.ts';
import { Program, run } from './program.ts';
import { waitFor } from './wait.ts';

const SCHEMA = '/usr/share/openvswitch/vswitch.ovsschema';

export type OvsTunnelOptions = {
  type?: 'vxlan' | 'gre' | 'geneve';
  remote: string;
  /** Absent: packets without one. */
  key?: number;
  port?: number;
  udpChecksum?: boolean;
  /** More options of the tunnel, as in `seq=true`. */
  more?: readonly string[];
};

export class OpenVswitch {
  readonly #namespace: Namespace;
  readonly #directory: string;
  readonly #programs: Program[] = [];

  private constructor(namespace: Namespace) {
    this.#namespace = namespace;
    this.#directory = makeDirectory('ovs');
  }

  /** Starts an instance; `underlay`: the device that tunnels leave by, and its addresses. */
  static async start(
    namespace: Namespace,
    underlay?: { device: string; addresses: readonly string[] },
  ): Promise<OpenVswitch> {
    const ovs = new OpenVswitch(namespace);
    await ovs.#startDaemons();
    await ovs.#addBridge('br-int');
    if (underlay !== undefined) await ovs.#plugUnderlay(underlay.device, underlay.addresses);
    return ovs;
  }

  /** Runs ovs-vsctl, ovs-ofctl or ovs-appctl against this instance. */
  control(program: 'ovs-vsctl' | 'ovs-ofctl' | 'ovs-appctl', ...args: string[]): Promise<string> {
    return this.#namespace.run([program, ...args], { env: this.#environment() });
  }

  async addTunnel(name: string, options: OvsTunnelOptions): Promise<void> {
    const { type = 'vxlan', remote, key, port = 4789, udpChecksum = false, more = [] } = options;
    const settings = [`remote_ip=${remote}`, `csum=${udpChecksum}`, ...more];
    if (key !== undefined) settings.push(`key=${key}`);
    if (type === 'vxlan') settings.push(`dst_port=${port}`);
    const port_ = ['add-port', 'br-int', name, '--', 'set', 'interface', name, `type=${type}`];
    await this.control('ovs-vsctl', ...port_, ...settings.map((setting) => `options:${setting}`));
  }

  /** Plugs a device of the namespace into br-int; `tag`: an access port of that VLAN, otherwise a trunk. */
  async addPort(device: string, tag?: number): Promise<void> {
    await this.control('ovs-vsctl', 'add-port', 'br-int', device, ...(tag === undefined ? [] : [`tag=${tag}`]));
  }

  async stop(): Promise<void> {
    for (const program of this.#programs.reverse()) await program.stop();
  }

  #environment(): Record<string, string> {
    const directory = this.#directory;
    return { OVS_RUNDIR: directory, OVS_DBDIR: directory, OVS_LOGDIR: directory, OVS_SYSCONFDIR: directory };
  }

  async #startDaemons(): Promise<void> {
    const directory = this.#directory;
    const env = this.#environment();
    const socket = `${directory}/db.sock`;
    await run(['ovsdb-tool', 'create', `${directory}/conf.db`, SCHEMA], { env });
    const database = [`${directory}/conf.db`, `--remote=punix:${socket}`, `--unixctl=${directory}/ovsdb-server.ctl`];
    this.#programs.push(this.#namespace.start(['ovsdb-server', ...database, '--no-chdir'], { env }));
    await waitFor('ovsdb-server answers', 5, () => this.#succeeds(['ovs-vsctl', '--no-wait', 'init']));
    const pid = `${directory}/ovs-vswitchd.pid`;
    const vswitchd = this.#namespace.start(['ovs-vswitchd', `unix:${socket}`, `--pidfile=${pid}`, '--no-chdir'], {
      env,
    });
    this.#programs.push(vswitchd);
    await waitFor(
      'ovs-vswitchd answers',
      5,
      () => this.#succeeds(['ovs-appctl', 'version']),
      () => vswitchd.output,
    );
  }

  async #succeeds(argv: readonly string[]): Promise<boolean> {
    const { status } = await this.#namespace.attempt(argv, { env: this.#environment() });
    return status === 0;
  }

  async #addBridge(bridge: string, ...settings: string[]): Promise<void> {
    const datapath = ['set', 'bridge', bridge, 'datapath_type=netdev', ...settings];
    await this.control('ovs-vsctl', 'add-br', bridge, '--', ...datapath);
    await this.#namespace.ip('link', 'set', bridge, 'up');
    await this.#namespace.setOffloads(bridge, false);
  }

  async #plugUnderlay(device: string, addresses: readonly string[]): Promise<void> {
    const namespace = this.#namespace;
    await this.#addBridge('br-phy', `other-config:hwaddr="${await namespace.mac(device)}"`);
    // The user-space datapath reads the device raw and finishes no checksums.
    await namespace.setOffloads(device, false);
    await this.control('ovs-vsctl', 'add-port', 'br-phy', device);
    await namespace.ip('address', 'flush', 'dev', device);
    await namespace.addAddress('br-phy', ...addresses);
    // The kernel sees the first packets of a tunnel too, and would answer that nobody listens on the port.
    for (const [family, protocol] of [
      ['ip', 'icmp'],
      ['ip6', 'icmpv6'],
    ] as const) {
      const chain = `add chain ${family} quiet out { type filter hook output priority 0; }`;
      await namespace.run(['nft', `add table ${family} quiet; ${chain}`]);
      const answers = `oifname "br-phy" ${protocol} type destination-unreachable drop`;
      await namespace.run(['nft', `add rule ${family} quiet out ${answers}`]);
    }
  }
}
