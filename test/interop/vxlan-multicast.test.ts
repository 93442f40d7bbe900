// time-out: 900 s
// Flooding by multicast, against two kernels and a switch that snoops: what we do not join, we do not get.
//
//                                        ┌── e0 …2 [ kernel ] e1 ──── host-b 172.16.0.2
//   host-a ── e1 [ site: wideplane ] e0 ─┤   (wan: a kernel bridge with IGMP and MLD snooping, and the querier)
//   172.16.0.1                    …1     └── e0 …3 [ kernel ] e1 ──── host-c 172.16.0.3

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Capture, countPackets, findComplaints, readFields } from './harness/capture.ts';
import { addKernelBridge, addKernelVxlan } from './harness/kernel-vxlan.ts';
import { connect, makeDirectory, Namespace } from './harness/namespace.ts';
import { plainFrame, sendRaw } from './harness/packets.ts';
import { ping, reach } from './harness/traffic.ts';
import { waitFor } from './harness/wait.ts';
import { Wideplane } from './harness/wideplane.ts';

const VERSIONS = {
  4: { prefix: '10.9.1.', bits: 24, group: '239.1.1.1', mtu: 1450 },
  6: { prefix: '2001:db8:9::', bits: 64, group: 'ff05::100', mtu: 1430 },
} as const;
type Version = keyof typeof VERSIONS;

const configuration = (adapter: string, version: Version): string => {
  const { prefix, bits, group } = VERSIONS[version];
  return `
net interface 1.1 { device e0 adapter ${adapter} }
net interface 1.2 { device e1 adapter packet-ring }
net vlan wan { interfaces { 1.1 { untagged } } tag 4094 }
net vlan inside { interfaces { 1.2 { untagged } } tag 10 }
net self wan-self { address ${prefix}1/${bits} vlan wan allow-service none }
net tunnels tunnel vx1 { local-address ${prefix}1 remote-address ${group} key 100 profile vxlan ttl 4 }
net vlan-group lan { members { inside vx1 } mode transparent bridge-traffic enabled }
`;
};

type Lab = { wan: Namespace; site: Namespace; hosts: Namespace[]; wideplane: Wideplane };

/** `old`: the switch asks in IGMPv2 and MLDv1. */
async function buildLab(adapter: string, version: Version, old = false): Promise<Lab> {
  const { prefix, bits, group, mtu } = VERSIONS[version];
  const wan = await Namespace.create('wan');
  const site = await Namespace.create('site');
  const kernels = [await Namespace.create('kernel-b'), await Namespace.create('kernel-c')];
  const hosts: Namespace[] = [];
  for (const [index, end] of [site, ...kernels].entries()) {
    await connect([wan, `p${index}`], [end, 'e0']);
    const host = await Namespace.create(`host-${'abc'[index]!}`);
    await connect([host, 'e0'], [end, 'e1']);
    await host.ip('link', 'set', 'e0', 'mtu', String(mtu));
    await host.addAddress('e0', `172.16.0.${index + 1}/24`);
    hosts.push(host);
  }
  await addKernelBridge(wan, 'br0', ['p0', 'p1', 'p2']);
  const snooping = ['mcast_snooping', '1', 'mcast_querier', '1', 'mcast_query_use_ifaddr', '1'];
  const versions = ['mcast_igmp_version', old ? '2' : '3', 'mcast_mld_version', old ? '1' : '2'];
  // Times in hundredths of a second: a query every two seconds, and an answer within one.
  const times = ['mcast_query_interval', '200', 'mcast_query_response_interval', '100'];
  const startup = ['mcast_startup_query_interval', '50', 'mcast_last_member_interval', '50'];
  await wan.addAddress('br0', `${prefix}254/${bits}`.replace(':254', ':fe'));
  const bridge = [...snooping, ...versions, ...times, ...startup];
  await wan.ip('link', 'set', 'br0', 'type', 'bridge', ...bridge);
  for (const [index, kernel] of kernels.entries()) {
    const local = `${prefix}${index + 2}`;
    await kernel.addAddress('e0', `${local}/${bits}`);
    const vxlan = await addKernelVxlan(kernel, { vni: 100, local, group: { address: group, device: 'e0' }, mtu });
    await addKernelBridge(kernel, 'br0', [vxlan, 'e1']);
  }
  if (adapter === 'udp') await site.addAddress('e0', `${prefix}1/${bits}`);
  const wideplane = await Wideplane.start(site, configuration(adapter, version));
  return { wan, site, hosts, wideplane };
}

/** Whether the switch has the group on the port that leads to wideplane. */
async function isMember({ wan }: Lab, version: Version): Promise<boolean> {
  const entries = JSON.parse(await wan.bridge('-j', 'mdb', 'show')) as {
    mdb?: { grp: string; port: string }[];
  }[];
  const { group } = VERSIONS[version];
  return entries.some(({ mdb = [] }) => mdb.some(({ grp, port }) => grp === group && port === 'p0'));
}

async function exercise(lab: Lab, version: Version): Promise<void> {
  const { hosts, wideplane } = lab;
  const [hostA] = hosts as [Namespace, Namespace, Namespace];
  const { prefix, mtu } = VERSIONS[version];
  await waitFor('the switch knows that wideplane listens', 5, () => isMember(lab, version));
  for (const to of ['172.16.0.2', '172.16.0.3']) {
    await reach(hostA, to);
    assert.equal((await ping(hostA, to, { size: mtu - 28, dontFragment: true })).received, 5);
  }
  assert.equal((await ping(hosts[1]!, '172.16.0.3')).received, 5, 'the kernels reach one another past us');
  const rows = await wideplane.show('net fdb tunnel', 'vx1');
  const learned = rows.flatMap(({ table }) => table?.rows ?? []).map(([mac, , end, kind]) => `${mac} ${end} ${kind}`);
  for (const index of [1, 2]) {
    const entry = `${await hosts[index]!.mac('e0')} ${prefix}${index + 1} dynamic`;
    assert.ok(learned.includes(entry), `${entry}\n${learned.join('\n')}`);
  }
}

/** Frames of each kind that is flooded reach each of the other hosts once, and leave the site once. */
async function exerciseFlooding({ wan, hosts }: Lab, version: Version): Promise<void> {
  const [hostA, ...others] = hosts as [Namespace, Namespace, Namespace];
  const directory = makeDirectory('flood');
  const captures = [];
  for (const [index, host] of others.entries()) {
    // The EtherType of plainFrame.
    captures.push(await Capture.start(host, 'e0', `${directory}/${index}.pcap`, { filter: 'ether proto 0x88b5' }));
  }
  const underlay = `${directory}/wan.pcap`;
  const filter = 'udp port 4789';
  const wanCapture = await Capture.start(wan, 'p0', underlay, { filter, direction: 'in' });
  const kinds = ['ff:ff:ff:ff:ff:ff', '02:00:00:00:99:99', '01:00:5e:00:00:fb'];
  await sendRaw(
    hostA,
    'e0',
    kinds.map((destination) => plainFrame(destination, '02:00:00:00:99:01', 100)),
  );
  for (const capture of captures) await capture.stop(kinds.length);
  await wanCapture.stop(kinds.length);
  for (const { file } of captures) assert.equal(await countPackets(file), kinds.length);
  const { group } = VERSIONS[version];
  const found = `vxlan && (ip.dst == ${version === 4 ? group : '0.0.0.0'} || ipv6.dst == ${version === 6 ? group : '::'})`;
  const sent = await readFields(underlay, `${found} && eth.type == 0x88b5`, ['ip.ttl', 'ipv6.hlim', 'eth.dst']);
  assert.equal(sent.length, kinds.length);
  for (const [ttl, hopLimit, macs] of sent) {
    assert.equal(version === 4 ? ttl : hopLimit, '4', 'the TTL of the tunnel');
    assert.match(macs!, version === 4 ? /^01:00:5e:01:01:01/ : /^33:33:00:00:01:00/);
  }
  assert.deepEqual(await findComplaints(underlay), []);
}

for (const version of [4, 6] as const) {
  describe(`IPv${version}`, () => {
    for (const adapter of ['packet-ring', 'udp']) {
      it(`${adapter}: joins, floods to the group, learns where stations are, and leaves`, async () => {
        const lab = await buildLab(adapter, version);
        const file = `${makeDirectory('reports')}/reports.pcap`;
        const filter = 'igmp or (ip6 and ip6[6] == 0)';
        const reports = await Capture.start(lab.wan, 'p0', file, { filter, direction: 'in' });
        await exercise(lab, version);
        await exerciseFlooding(lab, version);
        // Longer than the switch keeps a group that nobody reports.
        await new Promise((resolve) => setTimeout(resolve, 6000));
        assert.equal(await isMember(lab, version), true, 'queries are answered');
        const { wideplane } = lab;
        const [tunnel] = await wideplane.show('net tunnels tunnel', 'vx1');
        assert.equal(tunnel!.stats!.Status, 'up');
        await wideplane.tmsh('modify net vlan-group lan members delete { vx1 }');
        await wideplane.tmsh('delete net tunnels tunnel vx1');
        await waitFor('the switch knows that wideplane has left', 5, async () => !(await isMember(lab, version)));
        await reports.stop(3);
        assert.deepEqual(await findComplaints(file), []);
        assert.equal(await wideplane.stop(), 0, wideplane.log);
      });
    }

    it('packet-ring: speaks the version before to a querier that does', async () => {
      const lab = await buildLab('packet-ring', version, true);
      const file = `${makeDirectory('reports')}/reports.pcap`;
      const filter = 'igmp or (ip6 and ip6[6] == 0)';
      const reports = await Capture.start(lab.wan, 'p0', file, { filter, direction: 'in' });
      await exercise(lab, version);
      const type = version === 4 ? 'igmp.type' : 'icmpv6.type';
      const old = version === 4 ? 'igmp.type == 0x16' : 'icmpv6.type == 131';
      await waitFor('reports of the version before', 8, async () => (await readFields(file, old, [type])).length >= 2);
      assert.equal(await lab.wideplane.stop(), 0, lab.wideplane.log);
      const leave = version === 4 ? 'igmp.type == 0x17' : 'icmpv6.type == 132';
      await waitFor('the leave', 5, async () => (await readFields(file, leave, [type])).length === 1);
      await waitFor('the switch knows that wideplane has left', 5, async () => !(await isMember(lab, version)));
      await reports.stop(3);
      assert.deepEqual(await findComplaints(file), []);
    });
  });
}
