// alone
// time-out: 900 s
// GRE against Open vSwitch in user-space mode: Ethernet frames in all forms that it has, hosts bridged behind both ends
// (topology: harness/site.ts), and IP packets, routed by us.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Capture, findComplaints, readFields } from './harness/capture.ts';
import {
  assertTunnelCarried,
  exerciseCapture,
  exerciseEchoes,
  exerciseStreams,
  largestEcho,
} from './harness/exercise.ts';
import { connect, makeDirectory, Namespace } from './harness/namespace.ts';
import { OpenVswitch } from './harness/open-vswitch.ts';
import { buildSite, HOST_B, type SiteForm, type SiteOptions, UNDERLAY } from './harness/site.ts';
import { ping, reach } from './harness/traffic.ts';
import { Wideplane } from './harness/wideplane.ts';

const TEB = 'encapsulation transparent-ethernet-bridging flooding-type multipoint';
const profile = (more = ''): string => `net tunnels gre form { ${TEB} ${more} }`;

const FORMS: Record<string, SiteForm> = {
  'without a key': {
    profile: profile(),
    tunnel: 'profile form',
    overheadOctets: 38,
    peer: { type: 'gre' },
  },
  'with a key': {
    profile: profile(),
    tunnel: 'profile form key 4026531841',
    overheadOctets: 42,
    peer: { type: 'gre', key: 4_026_531_841 },
  },
  'with a checksum': {
    profile: profile('rx-csum enabled tx-csum enabled'),
    tunnel: 'profile form key 7',
    overheadOctets: 46,
    peer: { type: 'gre', key: 7, udpChecksum: true },
  },
  'with sequence numbers': {
    profile: profile('rx-sequence enabled tx-sequence enabled'),
    tunnel: 'profile form key 7',
    overheadOctets: 46,
    peer: { type: 'gre', key: 7, more: ['seq=true'] },
  },
};

/** Each form once, and what a peer has besides over the forms. */
const ROWS: [form: string, row: Partial<SiteOptions>][] = [
  ['without a key', { offloads: false, mode: 'point-to-point', hostTag: 0 }],
  ['with a key', { offloads: true, mode: 'static-fdb', hostTag: 0 }],
  ['with a key', { offloads: false, mode: 'point-to-point', hostTag: 10 }],
  ['with a checksum', { offloads: false, mode: 'static-fdb', hostTag: 0 }],
  ['with sequence numbers', { offloads: false, mode: 'point-to-point', hostTag: 0 }],
  ['with a key', { offloads: false, mode: 'point-to-point', hostTag: 0, underlay: 6 }],
];

describe('Ethernet in GRE', () => {
  for (const [form, row] of ROWS) {
    const name = Object.entries(row).map(([key, value]) => `${key} ${String(value)}`);
    it(`${form}, ${name.join(', ')}`, async () => {
      const site = await buildSite({ ...row, peer: 'open-vswitch' }, FORMS[form]);
      const [shown] = await site.wideplane.show('net tunnels tunnel', 'vx1');
      assert.equal(shown!.stats!.MTU, site.innerMtu);
      // What Open vSwitch sends while its own ports still settle would count as lost.
      await reach(site.hostA, HOST_B);
      await site.wideplane.tmsh('reset-stats net tunnels tunnel');
      await exerciseEchoes(site);
      await exerciseStreams(site);
      if (row.offloads === false) await exerciseCapture(site);
      await assertTunnelCarried(site);
      assert.equal(await site.wideplane.stop(), 0, site.wideplane.log);
    });
  }

  it('has the headers that were configured', async () => {
    for (const [form, expected] of [
      ['with a checksum', ['0xa000', '0x6558', '7', '1']],
      ['with sequence numbers', ['0x3000', '0x6558', '7', '']],
    ] as const) {
      const site = await buildSite({ peer: 'open-vswitch' }, FORMS[form]);
      await reach(site.hostA, HOST_B);
      const file = `${makeDirectory('capture')}/gre.pcap`;
      const capture = await Capture.start(site.far, 'e0', file, { filter: 'ip proto 47', direction: 'in' });
      await ping(site.hostA, HOST_B, { count: 5 });
      await capture.stop(5, 'icmp.type == 8');
      const fields = ['gre.flags_and_version', 'gre.proto', 'gre.key', 'gre.checksum.status', 'gre.sequence_number'];
      const packets = await readFields(file, 'icmp.type == 8', fields);
      assert.equal(packets.length, 5);
      for (const [flags, proto, key, status] of packets) {
        assert.deepEqual([flags, proto, String(Number(key)), status], expected);
      }
      const numbers = packets.map(([, , , , number]) => number).filter((number) => number !== '');
      assert.deepEqual(
        numbers.map((number) => Number(number) - Number(numbers[0])),
        numbers.map((_, index) => index),
      );
      assert.deepEqual(await findComplaints(file), []);
      await site.wideplane.stop();
    }
  });

  it('jumbo frames', async () => {
    const site = await buildSite({ peer: 'open-vswitch', underlayMtu: 9000 }, FORMS['without a key']);
    await reach(site.hostA, HOST_B);
    const size = largestEcho(site.innerMtu);
    const { received, text } = await ping(site.hostA, HOST_B, { size, dontFragment: true });
    assert.equal(received, 5, text);
    await site.wideplane.stop();
  });
});

describe('IP packets in GRE', () => {
  for (const key of [undefined, 100]) {
    it(key === undefined ? 'without a key' : 'with a key', async () => {
      const { site: local, far: remote } = UNDERLAY[4];
      const [site, far, host] = [
        await Namespace.create('site'),
        await Namespace.create('far'),
        await Namespace.create('host'),
      ];
      await connect([site, 'e0'], [far, 'e0']);
      await connect([host, 'e0'], [site, 'e1']);
      await host.addAddress('e0', '172.16.1.2/24');
      await host.ip('route', 'add', 'default', 'via', '172.16.1.1');
      const ovs = await OpenVswitch.start(far, { device: 'e0', addresses: [`${remote}/24`] });
      await ovs.addTunnel('tun', {
        ...{ type: 'gre', remote: local, more: ['packet_type=legacy_l3'] },
        ...(key === undefined ? {} : { key }),
      });
      // Behind the tunnel is the kernel of the namespace, at the port of the bridge itself. Open vSwitch gives packets from the
      // tunnel an Ethernet header of zeros.
      await far.addAddress('br-int', '172.16.0.2/24');
      await far.ip('route', 'add', '172.16.1.0/24', 'via', '172.16.0.1');
      await far.ip('neighbour', 'replace', '172.16.0.1', 'lladdr', '02:00:00:00:00:aa', 'dev', 'br-int');
      const own = await far.mac('br-int');
      await ovs.control('ovs-ofctl', 'del-flows', 'br-int');
      await ovs.control('ovs-ofctl', 'add-flow', 'br-int', 'in_port=LOCAL,ip,actions=output:tun');
      await ovs.control('ovs-ofctl', 'add-flow', 'br-int', `in_port=tun,ip,actions=mod_dl_dst:${own},output:LOCAL`);
      const wideplane = await Wideplane.start(
        site,
        `
net interface 1.1 { device e0 }
net interface 1.2 { device e1 }
net vlan wan { interfaces { 1.1 { untagged } } tag 4094 }
net vlan inside { interfaces { 1.2 { untagged } } tag 10 }
net self wan-self { address ${local}/24 vlan wan allow-service none }
net self inside-self { address 172.16.1.1/24 vlan inside allow-service none }
net tunnels tunnel gre1 { local-address ${local} remote-address ${remote} profile gre key ${key ?? 0} }
net self tunnel-self { address 172.16.0.1/24 vlan gre1 allow-service none }
`,
      );
      const file = `${makeDirectory('capture')}/gre.pcap`;
      await reach(host, '172.16.0.2');
      const capture = await Capture.start(far, 'e0', file, { filter: 'ip proto 47', direction: 'in' });
      for (const size of [56, 1000]) assert.equal((await ping(host, '172.16.0.2', { size })).received, 5);
      assert.equal((await ping(far, '172.16.0.1')).received, 5, 'the address of our end');
      await capture.stop(10, 'icmp.type == 8');
      const fields = ['gre.proto', 'gre.key', 'ip.dst', 'ip.ttl'];
      const [first] = await readFields(file, 'icmp.type == 8', fields);
      assert.deepEqual(first, ['0x0800', key === undefined ? '' : '0x00000064', `${remote},172.16.0.2`, '255,63']);
      assert.deepEqual(await findComplaints(file), []);
      const [row] = await wideplane.show('net tunnels tunnel', 'gre1');
      assert.deepEqual(row!.drops ?? {}, {});
      assert.equal(await wideplane.stop(), 0, wideplane.log);
    });
  }
});
