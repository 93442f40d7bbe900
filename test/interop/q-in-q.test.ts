// Frames with two tags, against a switch that this project did not write.
//
//   host-a ── [ Open vSwitch: customer port, tag 30; tunnel port, tag 300 ] ── e1 [ wideplane ] e2 ── host-b
//   172.16.0.1                                                                                       172.16.0.2
//
// (Not the kernel's VLAN devices: many a small kernel has none.)

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Capture, findComplaints, readFields } from './harness/capture.ts';
import { connect, makeDirectory, Namespace } from './harness/namespace.ts';
import { OpenVswitch } from './harness/open-vswitch.ts';
import { Iperf3Server, ping, reach } from './harness/traffic.ts';
import { waitFor } from './harness/wait.ts';
import { Wideplane } from './harness/wideplane.ts';

const [IP_A, IP_B] = ['172.16.0.1', '172.16.0.2'];
/** Room for two tags beside an IP packet of 1500 octets. */
const TRUNK_MTU = 1600;

type Sides = { hostA: Namespace; hostB: Namespace; access: Namespace; ovs: OpenVswitch; wideplane: Wideplane };

/** `ethertype`: of the outer tag; `inside`: how e1 is tagged in the VLAN. */
async function build(ethertype: '802.1ad' | '802.1q', inside: string, offloads: boolean): Promise<Sides> {
  const [site, access, hostA, hostB] = (await Promise.all(
    ['site', 'access', 'host-a', 'host-b'].map((name) => Namespace.create(name)),
  )) as [Namespace, Namespace, Namespace, Namespace];
  await connect([hostA, 'e0'], [access, 'host'], { mtu: TRUNK_MTU });
  await connect([access, 'trunk'], [site, 'e1'], { mtu: TRUNK_MTU });
  await connect([hostB, 'e0'], [site, 'e2'], { mtu: TRUNK_MTU, offloads });
  for (const [host, address] of [
    [hostA, IP_A],
    [hostB, IP_B],
  ] as const) {
    await host.ip('link', 'set', 'e0', 'mtu', '1500');
    await host.addAddress('e0', `${address}/24`);
  }
  const ovs = await OpenVswitch.start(access);
  const vsctl = (...args: string[]): Promise<string> => ovs.control('ovs-vsctl', ...args);
  await vsctl('set', 'Open_vSwitch', '.', 'other_config:vlan-limit=2');
  // The customer's switch is br-int; the provider's takes all that comes from it into VLAN 300.
  await vsctl('add-br', 'provider', '--', 'set', 'bridge', 'provider', 'datapath_type=netdev');
  await ovs.addPort('host', 30);
  const patch = (name: string, peer: string): string[] => [
    'set',
    'interface',
    name,
    'type=patch',
    `options:peer=${peer}`,
  ];
  await vsctl('add-port', 'br-int', 'up', '--', ...patch('up', 'down'));
  const tunnel = ['vlan_mode=dot1q-tunnel', 'tag=300', `other_config:qinq-ethtype=${ethertype}`];
  await vsctl('add-port', 'provider', 'down', '--', ...patch('down', 'up'), '--', 'set', 'port', 'down', ...tunnel);
  await vsctl('add-port', 'provider', 'trunk');
  const wideplane = await Wideplane.start(
    site,
    `
net interface 1.1 { device e1 qinq-ethertype ${ethertype === '802.1ad' ? '0x88a8' : '0x8100'} }
net interface 1.2 { device e2 }
net vlan inside { interfaces { 1.1 { tagged ${inside} } 1.2 { untagged } } tag 300 customer-tag 30 }
net self inside-self { address 172.16.0.9/24 vlan inside allow-service none }
`,
  );
  return { hostA, hostB, access, ovs, wideplane };
}

async function exercise({ hostA, hostB }: Sides): Promise<void> {
  await reach(hostA, IP_B);
  await reach(hostA, '172.16.0.9');
  for (const size of [56, 1472, 8000]) {
    const { sent, received, text } = await ping(hostB, IP_A, { size });
    assert.equal(received, sent, text);
  }
  const server = await Iperf3Server.start(hostB, IP_B);
  for (const reverse of [false, true]) {
    const { bitsPerSecond } = await server.measure(hostA, { reverse, seconds: 1 });
    assert.ok(bitsPerSecond > 10e6, `TCP: ${bitsPerSecond} bit/s`);
  }
  await server.stop();
}

describe('two tags', () => {
  for (const ethertype of ['802.1ad', '802.1q'] as const) {
    for (const offloads of [false, true]) {
      it(`outer one of ${ethertype}, offloads ${offloads ? 'on' : 'off'}: the switch understands them, and tshark reads them`, async () => {
        const sides = await build(ethertype, 'tag-mode double', offloads);
        await exercise(sides);
        const file = `${makeDirectory('capture')}/trunk.pcap`;
        const capture = await Capture.start(sides.access, 'trunk', file, { direction: 'in' });
        await ping(sides.hostB, IP_A, { count: 3 });
        await capture.stop(3, 'icmp.type == 8');
        // What wideplane has sent: the type behind the MACs, both VLAN IDs, the type behind the tags.
        const isProviderTag = ethertype === '802.1ad';
        const ids = isProviderTag ? ['ieee8021ad.id', 'vlan.id'] : ['vlan.id'];
        const frames = await readFields(file, 'icmp.type == 8', ['eth.type', ...ids]);
        const tags = isProviderTag ? ['0x88a8', '300', '30'] : ['0x8100', '300,30'];
        assert.deepEqual(frames, [tags, tags, tags]);
        if (!offloads) assert.deepEqual(await findComplaints(file), []);
        assert.equal(await sides.wideplane.stop(), 0, sides.wideplane.log);
      });
    }
  }

  it('of which the inner one is another are dropped by name', async () => {
    const { hostA, ovs, wideplane } = await build('802.1ad', 'tag-mode double', false);
    await reach(hostA, IP_B);
    await ovs.control('ovs-vsctl', 'set', 'port', 'host', 'tag=31');
    // The switch goes on with the flows that it has, until it has looked at them again.
    const isCut = async (): Promise<boolean> => (await ping(hostA, IP_B, { count: 1 })).received === 0;
    await waitFor('the switch has changed the tag', 5, isCut);
    assert.equal((await ping(hostA, IP_B, { count: 2 })).received, 0);
    const [row] = await wideplane.show('net interface', '1.1');
    assert.ok((row?.drops?.['unknown-vlan'] ?? 0) >= 2, JSON.stringify(row));
    await wideplane.stop();
  });
});

describe('one of the two tags', () => {
  it('service: the provider’s alone', async () => {
    const sides = await build('802.1ad', 'tag-mode service', false);
    // The host itself is the customer, without a tag of its own.
    await sides.ovs.control('ovs-vsctl', 'clear', 'port', 'host', 'tag');
    await exercise(sides);
    await sides.wideplane.stop();
  });
});
