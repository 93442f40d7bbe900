// One tunnel with remote `any` and several other ends: what is flooded is replicated to the endpoints of ff:ff:ff:ff:ff:ff,
// stations are learned behind the end that they spoke from, and what came by the tunnel does not leave by it again.
//
//                                        ┌── e0 10.9.1.2 [ kernel ] e1 ──── host-b 172.16.0.2
//   host-a ── e1 [ site: wideplane ] e0 ─┤   (wan: a kernel bridge)
//   172.16.0.1        10.9.1.1           └── e0 10.9.1.3 [ Open vSwitch ] e1 ── host-c 172.16.0.3

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { addKernelBridge, addKernelVxlan } from './harness/kernel-vxlan.ts';
import { connect, Namespace } from './harness/namespace.ts';
import { OpenVswitch } from './harness/open-vswitch.ts';
import { ping, reach } from './harness/traffic.ts';
import { waitFor } from './harness/wait.ts';
import { Wideplane } from './harness/wideplane.ts';

const configuration = (adapter: string): string => `
net interface 1.1 { device e0 adapter ${adapter} }
net interface 1.2 { device e1 adapter packet-ring }
net vlan wan { interfaces { 1.1 { untagged } } tag 4094 }
net vlan inside { interfaces { 1.2 { untagged } } tag 10 }
net self wan-self { address 10.9.1.1/24 vlan wan allow-service none }
net tunnels tunnel vx1 { local-address 10.9.1.1 remote-address any key 100 profile vxlan-multipoint }
net vlan-group lan { members { inside vx1 } }
net fdb tunnel vx1 { records { ff:ff:ff:ff:ff:ff { endpoints { 10.9.1.2 10.9.1.3 } } } }
`;

for (const adapter of ['packet-ring', 'udp']) {
  it(`${adapter}: floods to every end, learns where stations are, keeps static entries`, async () => {
    const wan = await Namespace.create('wan');
    const site = await Namespace.create('site');
    const kernel = await Namespace.create('kernel');
    const openVswitch = await Namespace.create('switch');
    const hosts: Namespace[] = [];
    for (const [index, end] of [site, kernel, openVswitch].entries()) {
      await connect([wan, `p${index}`], [end, 'e0']);
      const host = await Namespace.create(`host-${'abc'[index]!}`);
      await connect([host, 'e0'], [end, 'e1']);
      await host.ip('link', 'set', 'e0', 'mtu', '1450');
      await host.addAddress('e0', `172.16.0.${index + 1}/24`);
      hosts.push(host);
    }
    const [hostA, hostB, hostC] = hosts as [Namespace, Namespace, Namespace];
    await addKernelBridge(wan, 'br0', ['p0', 'p1', 'p2']);
    if (adapter === 'udp') await site.addAddress('e0', '10.9.1.1/24');
    await kernel.addAddress('e0', '10.9.1.2/24');
    const vxlan = await addKernelVxlan(kernel, { vni: 100, local: '10.9.1.2', remote: '10.9.1.1' });
    await addKernelBridge(kernel, 'br0', [vxlan, 'e1']);
    const ovs = await OpenVswitch.start(openVswitch, { device: 'e0', addresses: ['10.9.1.3/24'] });
    await ovs.addTunnel('vx', { remote: '10.9.1.1', key: 100 });
    await ovs.addPort('e1');
    const wideplane = await Wideplane.start(site, configuration(adapter));

    for (const to of ['172.16.0.2', '172.16.0.3']) {
      await reach(hostA, to);
      assert.equal((await ping(hostA, to)).received, 5);
      assert.equal((await ping(hostA, to, { count: 2, size: 60_000 })).received, 2);
    }

    assert.equal((await ping(hostB, '172.16.0.3', { count: 2 })).received, 0, 'a frame came back out of the tunnel');

    const entries = async (): Promise<string[]> => {
      const rows = await wideplane.show('net fdb tunnel', 'vx1');
      return rows.flatMap(({ table }) => table?.rows ?? []).map(([mac, , end, kind]) => `${mac} ${end} ${kind}`);
    };
    const [macB, macC] = [await hostB.mac('e0'), await hostC.mac('e0')];
    const learned = await entries();
    assert.ok(learned.includes(`${macB} 10.9.1.2 dynamic`), learned.join('\n'));
    assert.ok(learned.includes(`${macC} 10.9.1.3 dynamic`), learned.join('\n'));

    // host-b behind the wrong end, by decree: nothing reaches it until the entry goes.
    await wideplane.tmsh(`modify net fdb tunnel vx1 records add { ${macB} { endpoint 10.9.1.3 } }`);
    await waitFor('the static entry', 2, async () => (await entries()).includes(`${macB} 10.9.1.3 static`));
    assert.equal((await ping(hostA, '172.16.0.2', { count: 2 })).received, 0);
    await wideplane.tmsh(`modify net fdb tunnel vx1 records delete { ${macB} }`);
    await reach(hostA, '172.16.0.2');
    assert.equal(await wideplane.stop(), 0, wideplane.log);
  });
}
