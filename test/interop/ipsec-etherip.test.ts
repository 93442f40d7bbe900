// time-out: 600 s
// Tunnels of layer 2 inside IPsec, by selectors on what they are outside: EtherIP (protocol 97), GRE (47), VXLAN (UDP 4789).
//
//   client ──┐                                                              ┌── (vm, afterwards)
//            ├─ [ lan-1 ] ── e1 [ site-1 ] e0 ═ ESP ═ e0 [ site-2 ] e1 ── [ lan-2 ]
//       vm ──┘               192.0.2.1          192.0.2.2
//
//   client 172.16.0.10, vm 172.16.0.20; lan-1 and lan-2: kernel bridges

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Capture, readFields } from './harness/capture.ts';
import { gateway, ipsec, type IpsecSetup, other, type Side } from './harness/ipsec-pair.ts';
import { addKernelBridge } from './harness/kernel-vxlan.ts';
import { connect, makeDirectory, Namespace } from './harness/namespace.ts';
import { Iperf3Server, ping, reach } from './harness/traffic.ts';
import { waitFor } from './harness/wait.ts';
import { Wideplane } from './harness/wideplane.ts';

const SESSION = fileURLToPath(new URL('./harness/programs/tcp-session.js', import.meta.url));
const [CLIENT, VM] = ['172.16.0.10', '172.16.0.20'];
/** Less than any of the tunnels leaves of 1500. */
const INNER_MTU = 1370;

type Form = {
  name: string;
  mode: 'transport' | 'tunnel';
  /** What stands in the tunnel, and the selectors that know it by its outside. */
  tunnel: string;
  profile?: string;
  selector: string;
};

const FORMS: readonly Form[] = [
  { name: 'EtherIP', mode: 'tunnel', tunnel: 'profile etherip', selector: 'ip-protocol 97' },
  {
    name: 'GRE',
    mode: 'transport',
    tunnel: 'profile teb key 7',
    profile: 'net tunnels gre teb { encapsulation transparent-ethernet-bridging }',
    selector: 'ip-protocol 47',
  },
  {
    name: 'VXLAN',
    mode: 'transport',
    tunnel: 'profile vxlan-multipoint key 100',
    selector: 'ip-protocol udp destination-port 4789',
  },
];

function configuration(side: Side, { mode, tunnel, profile = '', selector }: Form): string {
  const setup: IpsecSetup = {
    mode,
    auth: 'aes-gcm256',
    encrypt: 'aes-gcm256',
    encryptKeys: { a: `0x${'a1'.repeat(36)}`, b: `0x${'b2'.repeat(36)}` },
    association: 'replay-window-size 1024',
    selector,
    protects: 'gateways',
  };
  return `
net interface 1.1 { device e0 }
net interface 1.2 { device e1 }
net vlan wan { interfaces { 1.1 { untagged } } tag 4094 }
net vlan machines { interfaces { 1.2 { untagged } } tag 10 }
net self wan-self { address ${gateway(side, 4)}/24 vlan wan allow-service none }
${profile}
net tunnels tunnel dc { local-address ${gateway(side, 4)} remote-address ${gateway(other(side), 4)} ${tunnel} }
net vlan-group vm-net { members { machines dc } mode transparent bridge-traffic enabled }
${ipsec(side, setup)}`;
}

for (const form of FORMS) {
  it(`${form.name} in IPsec, mode ${form.mode}: a machine moves and keeps its connection, and all of it is ESP`, async () => {
    const sites = { a: await Namespace.create('site-1'), b: await Namespace.create('site-2') };
    const lans = { a: await Namespace.create('lan-1'), b: await Namespace.create('lan-2') };
    const [client, vm] = [await Namespace.create('client'), await Namespace.create('vm')];
    await connect([sites.a, 'e0'], [sites.b, 'e0']);
    for (const side of ['a', 'b'] as const)
      await connect([sites[side], 'e1'], [lans[side], 'site'], { offloads: true });
    await connect([client, 'e0'], [lans.a, 'client'], { offloads: true });
    await connect([vm, 'e0'], [lans.a, 'vm'], { offloads: true });
    await addKernelBridge(lans.a, 'br0', ['site', 'client', 'vm']);
    await addKernelBridge(lans.b, 'br0', ['site']);
    for (const [host, address] of [
      [client, CLIENT],
      [vm, VM],
    ] as const) {
      await host.ip('link', 'set', 'e0', 'mtu', String(INNER_MTU));
      await host.addAddress('e0', `${address}/24`);
      await host.sysctl({ 'net.ipv6.conf.e0.disable_ipv6': '1' });
    }
    const wideplanes = {
      a: await Wideplane.start(sites.a, configuration('a', form)),
      b: await Wideplane.start(sites.b, configuration('b', form)),
    };
    const file = `${makeDirectory('capture')}/outer.pcap`;
    const capture = await Capture.start(sites.b, 'e0', file);
    await reach(client, VM);

    const server = vm.start([process.execPath, SESSION, 'serve', VM, '7000']);
    await server.expect(/^listening$/m, 5);
    const session = client.start([process.execPath, SESSION, 'connect', VM, '7000', CLIENT]);
    await session.expect(/^connected$/m, 5);
    const echoed = async (): Promise<number> => {
      const reports = session.output.match(/^echoed/gm)?.length ?? 0;
      session.signal('SIGUSR2');
      const [, count] = await session.expect(new RegExp(`(?:echoed (\\d+) stalled \\d+ ms\\s+){${reports + 1}}`), 3);
      return Number(count);
    };
    await waitFor('the connection is used', 3, async () => (await echoed()) >= 5);

    // Its cable goes to the other switch, and it says something there, so that switches learn its new place.
    const move = async (from: Side, to: Side): Promise<void> => {
      await lans[from].ip('link', 'set', 'vm', 'netns', lans[to].name);
      await lans[to].ip('link', 'set', 'vm', 'master', 'br0');
      await lans[to].ip('link', 'set', 'vm', 'up');
      await reach(vm, CLIENT);
      const before = await echoed();
      await waitFor(`the connection goes on at site ${to}`, 10, async () => (await echoed()) >= before + 10);
      assert.ok(session.isRunning, session.output);
    };
    await move('a', 'b');

    for (const size of [56, INNER_MTU - 28, 20_000, 60_000]) {
      const { sent, received, text } = await ping(client, VM, { size, count: 3, forbidsNothing: true });
      assert.equal(received, sent, `${size}: ${text}`);
    }
    const iperf3 = await Iperf3Server.start(vm, VM);
    for (const reverse of [false, true]) {
      const { bitsPerSecond } = await iperf3.measure(client, { octets: 10e6, reverse });
      assert.ok(bitsPerSecond > 5e6, `${bitsPerSecond} bit/s`);
    }
    await iperf3.stop();

    await capture.stop(20);
    assert.ok((await readFields(file, 'esp', ['frame.number'])).length > 100);
    assert.deepEqual(await readFields(file, 'ip && !esp', ['frame.number', 'frame.protocols']), []);
    if (form.name === 'EtherIP') await move('b', 'a');
    for (const wideplane of Object.values(wideplanes)) assert.equal(await wideplane.stop(), 0, wideplane.log);
  });
}
