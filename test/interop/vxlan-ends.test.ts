// time-out: 600 s
// Several ends at once: three of one tunnel, each of which gets what is flooded exactly once; and three tunnels with the same
// VNI that differ in port or local address.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Capture, countPackets } from './harness/capture.ts';
import { addKernelBridge, addKernelVxlan } from './harness/kernel-vxlan.ts';
import { connect, makeDirectory, Namespace } from './harness/namespace.ts';
import { plainFrame, sendRaw } from './harness/packets.ts';
import { ping, reach } from './harness/traffic.ts';
import { waitFor } from './harness/wait.ts';
import { Wideplane } from './harness/wideplane.ts';

/** Namespaces `site` and `names`, each with e0 on one bridged network. */
async function buildWan(names: readonly string[]): Promise<{ site: Namespace; ends: Namespace[] }> {
  const wan = await Namespace.create('wan');
  const site = await Namespace.create('site');
  const ends: Namespace[] = [];
  for (const name of names) ends.push(await Namespace.create(name));
  for (const [index, end] of [site, ...ends].entries()) await connect([wan, `p${index}`], [end, 'e0']);
  await addKernelBridge(wan, 'br0', ['p0', ...ends.map((_, index) => `p${index + 1}`)]);
  return { site, ends };
}

/** A host behind a device of `end`. */
async function addHost(end: Namespace, device: string, address: string): Promise<Namespace> {
  const host = await Namespace.create('host');
  await connect([host, 'e0'], [end, device]);
  await host.ip('link', 'set', 'e0', 'mtu', '1430');
  await host.addAddress('e0', `${address}/24`);
  return host;
}

const THREE_ENDS = {
  4: { prefix: '10.9.1.', bits: 24 },
  6: { prefix: '2001:db8:9::', bits: 64 },
} as const;

for (const adapter of ['packet-ring', 'udp']) {
  for (const version of [4, 6] as const) {
    it(`${adapter}, IPv${version}: three ends get broadcast, unknown unicast and multicast exactly once`, async () => {
      const { prefix, bits } = THREE_ENDS[version];
      const { site, ends } = await buildWan(['b', 'c', 'd']);
      const hostA = await addHost(site, 'e1', '172.16.0.1');
      const hosts: Namespace[] = [];
      for (const [index, end] of ends.entries()) {
        const local = `${prefix}${index + 2}`;
        await end.addAddress('e0', `${local}/${bits}`);
        hosts.push(await addHost(end, 'e1', `172.16.0.${index + 2}`));
        const vxlan = await addKernelVxlan(end, { vni: 100, local, remote: `${prefix}1`, mtu: 1430 });
        await addKernelBridge(end, 'br0', [vxlan, 'e1']);
      }
      if (adapter === 'udp') await site.addAddress('e0', `${prefix}1/${bits}`);
      const wideplane = await Wideplane.start(
        site,
        `
net interface 1.1 { device e0 adapter ${adapter} }
net interface 1.2 { device e1 adapter packet-ring }
net vlan wan { interfaces { 1.1 { untagged } } tag 4094 }
net vlan inside { interfaces { 1.2 { untagged } } tag 10 }
net self wan-self { address ${prefix}1/${bits} vlan wan allow-service none }
net tunnels tunnel vx1 { local-address ${prefix}1 remote-address any key 100 profile vxlan-multipoint }
net vlan-group lan { members { inside vx1 } mode transparent bridge-traffic enabled }
net fdb tunnel vx1 { records { ff:ff:ff:ff:ff:ff { endpoints { ${[2, 3, 4].map((end) => prefix + String(end)).join(' ')} } } } }
`,
      );
      for (const index of [2, 3, 4]) {
        await reach(hostA, `172.16.0.${index}`);
        assert.equal((await ping(hostA, `172.16.0.${index}`)).received, 5);
      }
      const directory = makeDirectory('flood');
      const captures: Capture[] = [];
      for (const [index, host] of hosts.entries()) {
        const file = `${directory}/${index}.pcap`;
        captures.push(await Capture.start(host, 'e0', file, { filter: 'ether proto 0x88b5' }));
      }
      const kinds = ['ff:ff:ff:ff:ff:ff', '02:00:00:00:99:99', '01:00:5e:00:00:fb'];
      const frames = kinds.map((destination) => plainFrame(destination, '02:00:00:00:99:01', 100));
      await sendRaw(hostA, 'e0', frames);
      for (const capture of captures) await capture.stop(kinds.length);
      for (const { file } of captures) assert.equal(await countPackets(file), kinds.length);

      // What is no longer heard is forgotten.
      const macB = await hosts[0]!.mac('e0');
      const knows = async (): Promise<boolean> => {
        const rows = await wideplane.show('net fdb tunnel', 'vx1');
        return rows.flatMap(({ table }) => table?.rows ?? []).some(([mac]) => mac === macB);
      };
      assert.equal(await knows(), true);
      await wideplane.tmsh('modify ltm global-settings general l2-cache-timeout 1');
      await hosts[0]!.ip('link', 'set', 'e0', 'down');
      await waitFor('the station is forgotten', 20, async () => !(await knows()));
      assert.equal(await wideplane.stop(), 0, wideplane.log);
    });
  }
}

for (const adapter of ['packet-ring', 'udp']) {
  it(`${adapter}: one VNI under other profiles, ports and local addresses keeps its networks apart`, async () => {
    const { site, ends } = await buildWan(['b', 'c', 'd']);
    const plans = [
      { local: '10.9.1.1', port: 4789 },
      { local: '10.9.1.1', port: 8472 },
      { local: '10.9.1.11', port: 4789 },
    ];
    const near: Namespace[] = [];
    for (const [index, { local, port }] of plans.entries()) {
      near.push(await addHost(site, `e${index + 1}`, '172.16.0.1'));
      const end = ends[index]!;
      const own = `10.9.1.${index + 2}`;
      await end.addAddress('e0', `${own}/24`);
      // Every network has a host of the same address: which one answers shows where a frame went.
      await addHost(end, 'e1', '172.16.0.2');
      const vxlan = await addKernelVxlan(end, { vni: 100, local: own, remote: local, port, mtu: 1430 });
      await addKernelBridge(end, 'br0', [vxlan, 'e1']);
    }
    if (adapter === 'udp') await site.addAddress('e0', '10.9.1.1/24', '10.9.1.11/24');
    const wideplane = await Wideplane.start(
      site,
      `
net interface 1.0 { device e0 adapter ${adapter} }
net vlan wan { interfaces { 1.0 { untagged } } tag 4094 }
net self first { address 10.9.1.1/24 vlan wan allow-service none }
net self second { address 10.9.1.11/24 vlan wan allow-service none }
net tunnels vxlan old { defaults-from vxlan flooding-type multipoint port 8472 }
net tunnels vxlan new { defaults-from vxlan flooding-type multipoint }
${plans
  .map(
    ({ local, port }, index) => `
net interface 1.${index + 1} { device e${index + 1} adapter packet-ring }
net vlan in${index} { interfaces { 1.${index + 1} { untagged } } tag ${index + 10} }
net tunnels tunnel vx${index} { local-address ${local} remote-address 10.9.1.${index + 2} key 100 profile ${port === 8472 ? 'old' : 'new'} }
net vlan-group lan${index} { members { in${index} vx${index} } mode transparent bridge-traffic enabled }`,
  )
  .join('\n')}
`,
    );
    for (const [index, host] of near.entries()) {
      await reach(host, '172.16.0.2');
      assert.equal((await ping(host, '172.16.0.2')).received, 5);
      const [row] = await wideplane.show('net fdb tunnel', `vx${index}`);
      const remotes = (row!.table?.rows ?? []).map(([, , end]) => end);
      assert.deepEqual([...new Set(remotes)], [`10.9.1.${index + 2}`]);
    }
    const rows = await wideplane.show('net tunnels tunnel');
    for (const { name, drops = {} } of rows) {
      assert.equal(drops['unknown-vni'] ?? 0, 0, name);
      assert.equal(drops['unknown-remote'] ?? 0, 0, name);
    }
    assert.equal(await wideplane.stop(), 0, wideplane.log);
  });
}
