// A virtual machine moves from one data centre to another and keeps its TCP connection: on each side a VLAN group of an
// EtherIP tunnel and the VLAN where virtual machines live, as the manual's chapter on EtherIP sets it up (IPsec aside).
//
//   client ──┐                                                            ┌── (vm, afterwards)
//            ├─ [ lan-1 ] ── e1 [ site-1 ] e0 ═══ e0 [ site-2 ] e1 ── [ lan-2 ]
//       vm ──┘               10.9.1.1                 10.9.1.2
//
//   client 172.16.0.10, vm 172.16.0.20, self IPs of the groups 172.16.0.1 and 172.16.0.2; lan-1 and lan-2: kernel bridges

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Capture, countPackets, findComplaints } from './harness/capture.ts';
import { addKernelBridge } from './harness/kernel-vxlan.ts';
import { connect, makeDirectory, Namespace } from './harness/namespace.ts';
import { sendRaw } from './harness/packets.ts';
import { ping, reach } from './harness/traffic.ts';
import { delay, waitFor } from './harness/wait.ts';
import { Wideplane } from './harness/wideplane.ts';

const SESSION = fileURLToPath(new URL('./harness/programs/tcp-session.js', import.meta.url));
const [CLIENT, VM] = ['172.16.0.10', '172.16.0.20'];
const UNDERLAY = ['10.9.1.1', '10.9.1.2'] as const;
/** IPv4 20, EtherIP 2, inner Ethernet 14. */
const INNER_MTU = 1500 - 36;

const configuration = (adapter: string, side: 0 | 1): string => `
net interface 1.1 { device e0 adapter ${adapter} }
net interface 1.2 { device e1 }
net vlan wan { interfaces { 1.1 { untagged } } tag 4094 }
net vlan machines { interfaces { 1.2 { untagged } } tag 10 }
net self wan-self { address ${UNDERLAY[side]}/24 vlan wan allow-service none }
net tunnels tunnel dc { local-address ${UNDERLAY[side]} remote-address ${UNDERLAY[1 - side]} profile etherip }
net vlan-group vm-net { members { machines dc } mode transparent }
net self vm-net-self { address 172.16.0.${side + 1}/24 vlan vm-net allow-service default }
`;

/** What vSphere sends when a machine has moved: a reverse ARP request, so that switches learn its new place (RFC 903). */
function reverseArp(mac: string): Buffer {
  const octets = mac.replaceAll(':', '');
  const request = ['0001', '0800', '06', '04', '0003', octets, '00000000', octets, '00000000'].join('');
  return Buffer.concat([Buffer.from(`ffffffffffff${octets}8035${request}`, 'hex'), Buffer.alloc(18)]);
}

for (const adapter of ['packet-ring', 'raw-ip'] as const) {
  it(`${adapter}: a machine moves and keeps its connection; its reverse ARP crosses with bridge-traffic only`, async () => {
    const sites = [await Namespace.create('site-1'), await Namespace.create('site-2')] as const;
    const lans = [await Namespace.create('lan-1'), await Namespace.create('lan-2')] as const;
    await connect([sites[0], 'e0'], [sites[1], 'e0']);
    const client = await Namespace.create('client');
    const vm = await Namespace.create('vm');
    for (const index of [0, 1] as const) await connect([sites[index], 'e1'], [lans[index], 'site']);
    if (adapter === 'raw-ip')
      for (const index of [0, 1] as const) await sites[index].addAddress('e0', `${UNDERLAY[index]}/24`);
    await connect([client, 'e0'], [lans[0], 'client']);
    await connect([vm, 'e0'], [lans[0], 'vm']);
    await addKernelBridge(lans[0], 'br0', ['site', 'client', 'vm']);
    await addKernelBridge(lans[1], 'br0', ['site']);
    for (const [host, address] of [
      [client, CLIENT],
      [vm, VM],
    ] as const) {
      await host.ip('link', 'set', 'e0', 'mtu', String(INNER_MTU));
      await host.addAddress('e0', `${address}/24`);
      // A machine that announces itself by IPv6 would not need its hypervisor to do so.
      await host.sysctl({ 'net.ipv6.conf.e0.disable_ipv6': '1' });
    }
    const wideplanes = [
      await Wideplane.start(sites[0], configuration(adapter, 0)),
      await Wideplane.start(sites[1], configuration(adapter, 1)),
    ] as const;
    await reach(client, VM);
    for (const self of ['172.16.0.1', '172.16.0.2']) await reach(client, self);

    const server = vm.start([process.execPath, SESSION, 'serve', VM, '7000']);
    await server.expect(/^listening$/m, 5);
    const session = client.start([process.execPath, SESSION, 'connect', VM, '7000', CLIENT]);
    await session.expect(/^connected$/m, 5);
    const report = async (): Promise<{ echoed: number; stalledMs: number }> => {
      const reports = session.output.match(/^echoed/gm)?.length ?? 0;
      session.signal('SIGUSR2');
      const line = new RegExp(`(?:echoed (\\d+) stalled (\\d+) ms\\s+){${reports + 1}}`);
      const [, echoed, stalledMs] = await session.expect(line, 3);
      return { echoed: Number(echoed), stalledMs: Number(stalledMs) };
    };
    await delay(1000);
    const before = await report();
    assert.ok(before.echoed >= 5 && before.stalledMs < 500, JSON.stringify(before));

    // It moves: its cable goes to the other switch. Its stack, its address and its MAC stay.
    const file = `${makeDirectory('capture')}/outer.pcap`;
    const capture = await Capture.start(sites[1], 'e0', file, { filter: 'ip proto 97' });
    await lans[0].ip('link', 'set', 'vm', 'netns', lans[1].name);
    await lans[1].ip('link', 'set', 'vm', 'master', 'br0');
    await lans[1].ip('link', 'set', 'vm', 'up');
    const mac = await vm.mac('e0');
    const whereabouts = async (side: 0 | 1): Promise<string> => {
      const rows = await wideplanes[side].show('net fdb tunnel', 'dc');
      return JSON.stringify(rows.flatMap(({ table }) => table?.rows ?? []));
    };
    const notBridged = async (): Promise<number> => {
      const [row] = await wideplanes[1].show('net vlan-group', 'vm-net');
      return row?.drops?.['traffic-not-bridged'] ?? 0;
    };
    const announced = `${makeDirectory('capture')}/reverse-arp.pcap`;
    const atHome = await Capture.start(lans[0], 'site', announced, { direction: 'in', filter: 'rarp' });
    await sendRaw(vm, 'e0', [reverseArp(mac)]);
    await waitFor('the reverse ARP is counted', 3, async () => (await notBridged()) === 1);
    const stranded = await report();

    for (const wideplane of wideplanes) await wideplane.tmsh('modify net vlan-group vm-net bridge-traffic enabled');
    await sendRaw(vm, 'e0', [reverseArp(mac)]);
    await waitFor('site 1 knows the machine behind the tunnel', 3, async () => (await whereabouts(0)).includes(mac));
    await atHome.stop(1);
    assert.equal(await countPackets(announced), 1, 'one without bridge-traffic, one with it');
    assert.equal(await notBridged(), 1);
    await waitFor('the connection goes on', 10, async () => (await report()).echoed >= stranded.echoed + 10);
    assert.ok(session.isRunning, session.output);

    await reach(client, VM);
    for (const size of [56, INNER_MTU - 28, 20_000]) {
      const { sent, received, text } = await ping(client, VM, { size });
      assert.equal(received, sent, text);
    }
    await capture.stop(20);
    assert.ok((await countPackets(file)) >= 20);
    assert.deepEqual(await findComplaints(file), []);

    // And back again.
    await lans[1].ip('link', 'set', 'vm', 'netns', lans[0].name);
    await lans[0].ip('link', 'set', 'vm', 'master', 'br0');
    await lans[0].ip('link', 'set', 'vm', 'up');
    await sendRaw(vm, 'e0', [reverseArp(mac)]);
    const { echoed } = await report();
    await waitFor('the connection goes on at home', 10, async () => (await report()).echoed >= echoed + 10);
    for (const wideplane of wideplanes) assert.equal(await wideplane.stop(), 0, wideplane.log);
  });
}
