// The harness and its peers without wideplane: what a failure of the other tests can be measured against.
//
//   left  [vx0 172.16.0.1] e0 10.9.1.1 ──── 10.9.1.2 e0 [vx0 172.16.0.2]  right      kernel and kernel, or Open vSwitch

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Capture, findComplaints, readFields } from './harness/capture.ts';
import { ETHERIP_HEADER, EtherIpPeer } from './harness/etherip-peer.ts';
import { addKernelVxlan } from './harness/kernel-vxlan.ts';
import { connect, makeDirectory, Namespace } from './harness/namespace.ts';
import { OpenVswitch } from './harness/open-vswitch.ts';
import { Iperf3Server, ping, reach, UdpSequence } from './harness/traffic.ts';

describe('peers', () => {
  it('kernel to kernel: echoes, TCP, numbered datagrams, a clean capture', async () => {
    const left = await Namespace.create('left');
    const right = await Namespace.create('right');
    await connect([left, 'e0'], [right, 'e0']);
    await left.addAddress('e0', '10.9.1.1/24');
    await right.addAddress('e0', '10.9.1.2/24');
    await addKernelVxlan(left, { vni: 100, local: '10.9.1.1', remote: '10.9.1.2', address: '172.16.0.1/24' });
    await addKernelVxlan(right, { vni: 100, local: '10.9.1.2', remote: '10.9.1.1', address: '172.16.0.2/24' });

    const capture = await Capture.start(right, 'e0', `${makeDirectory('capture')}/e0.pcap`, {
      filter: 'udp port 4789',
    });
    assert.equal((await ping(left, '172.16.0.2')).received, 5);
    await capture.stop(10);
    assert.deepEqual(await findComplaints(capture.file), []);
    assert.ok((await readFields(capture.file, 'icmp', ['vxlan.vni'])).every(([vni]) => vni === '100'));

    const server = await Iperf3Server.start(right, '172.16.0.2');
    assert.ok((await server.measure(left, { seconds: 1 })).bitsPerSecond > 1e6);
    const sequence = await UdpSequence.start(left, right, '172.16.0.2');
    await ping(left, '172.16.0.2', { count: 10, intervalSeconds: 0.1 });
    const report = await sequence.stop();
    assert.ok(report.received > 500, JSON.stringify(report));
    assert.deepEqual([report.lost, report.duplicates], [0, 0]);
  });

  it('kernel to Open vSwitch: echoes of 60,000 octets', async () => {
    const left = await Namespace.create('left');
    const right = await Namespace.create('right');
    await connect([left, 'e0'], [right, 'e0']);
    await left.addAddress('e0', '10.9.1.1/24');
    await addKernelVxlan(left, { vni: 100, local: '10.9.1.1', remote: '10.9.1.2', address: '172.16.0.1/24' });
    const ovs = await OpenVswitch.start(right, { device: 'e0', addresses: ['10.9.1.2/24'] });
    await ovs.addTunnel('vx', { remote: '10.9.1.1', key: 100 });
    await right.addAddress('br-int', '172.16.0.2/24');
    await right.ip('link', 'set', 'br-int', 'mtu', '1450');

    await reach(left, '172.16.0.2');
    const { received, text } = await ping(left, '172.16.0.2', { size: 60_000 });
    assert.equal(received, 5, text);
    await ovs.stop();
  });

  it('scapy to scapy: echoes by EtherIP, each with its own form of the header', async () => {
    const left = await Namespace.create('left');
    const right = await Namespace.create('right');
    await connect([left, 'e0'], [right, 'e0']);
    await left.addAddress('e0', '10.9.1.1/24');
    await right.addAddress('e0', '10.9.1.2/24');
    const [one, two] = [
      {
        device: 'e0',
        local: '10.9.1.1',
        address: '172.16.0.1',
        mac: '02:00:00:00:00:01',
        header: ETHERIP_HEADER.rfc3378,
      },
      {
        device: 'e0',
        local: '10.9.1.2',
        address: '172.16.0.2',
        mac: '02:00:00:00:00:02',
        header: ETHERIP_HEADER.swapped,
      },
    ];
    const macs = [await left.mac('e0'), await right.mac('e0')] as const;
    const near = await EtherIpPeer.start(left, { ...one, remote: two.local, remoteMac: macs[1] });
    const far = await EtherIpPeer.start(right, { ...two, remote: one.local, remoteMac: macs[0] });
    assert.equal(await near.ping({ to: two.address, mac: two.mac, size: 1400, count: 5 }), 5);
    assert.deepEqual([(await near.seen()).headers, (await far.seen()).headers], [['0300'], ['3000']]);
    await near.stop();
    await far.stop();
  });
});
