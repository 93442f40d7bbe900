// time-out: 600 s
// EtherIP against scapy, in both forms of its header and over both IP versions; tshark judges what wideplane sends.
//
//   host-a ──── e1 [ site: wideplane ] e0 ════ e0 [ far: scapy, a station 172.16.0.2 behind it ]
//   172.16.0.1           10.9.1.1                 10.9.1.2
//                        2001:db8:9::1            2001:db8:9::2

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Capture, countPackets, findComplaints, readFields } from './harness/capture.ts';
import { ETHERIP_HEADER, EtherIpPeer } from './harness/etherip-peer.ts';
import { connect, makeDirectory, Namespace } from './harness/namespace.ts';
import { plainFrame, sendRaw } from './harness/packets.ts';
import { HOST_A, HOST_B, UNDERLAY } from './harness/site.ts';
import { ping, reach } from './harness/traffic.ts';
import { waitFor } from './harness/wait.ts';
import { Wideplane } from './harness/wideplane.ts';

const STATION_MAC = '02:00:00:00:00:0b';
/** Outer IP header, EtherIP 2, inner Ethernet 14. */
const OVERHEAD_OCTETS = { 4: 36, 6: 56 } as const;

const ROWS = [
  { adapter: 'packet-ring', form: 'rfc3378', underlay: 4 },
  { adapter: 'packet-ring', form: 'swapped', underlay: 4 },
  { adapter: 'packet-ring', form: 'rfc3378', underlay: 6 },
  { adapter: 'raw-ip', form: 'swapped', underlay: 4 },
  { adapter: 'raw-ip', form: 'rfc3378', underlay: 6 },
] as const;

type Row = (typeof ROWS)[number];

const configuration = ({ adapter, form, underlay }: Row): string => {
  const { site, far, prefixBits } = UNDERLAY[underlay];
  return `
net interface 1.1 { device e0 adapter ${adapter} }
net interface 1.2 { device e1 }
net vlan wan { interfaces { 1.1 { untagged } } tag 4094 }
net vlan inside { interfaces { 1.2 { untagged } } tag 10 }
net self wan-self { address ${site}/${prefixBits} vlan wan allow-service none }
net tunnels etherip form { defaults-from etherip version-nibble ${form === 'rfc3378' ? 'high' : 'low'} }
net tunnels tunnel eip { local-address ${site} remote-address ${far} profile form }
net vlan-group lan { members { inside eip } mode transparent bridge-traffic enabled }
`;
};

describe('EtherIP with scapy', () => {
  for (const row of ROWS) {
    const { adapter, form, underlay } = row;
    it(`${adapter}, header ${form}, IPv${underlay} outside: echoes and other frames both ways`, async () => {
      const site = await Namespace.create('site');
      const far = await Namespace.create('far');
      const hostA = await Namespace.create('host-a');
      await connect([site, 'e0'], [far, 'e0']);
      await connect([hostA, 'e0'], [site, 'e1']);
      const innerMtu = 1500 - OVERHEAD_OCTETS[underlay];
      await hostA.ip('link', 'set', 'e0', 'mtu', String(innerMtu));
      await hostA.addAddress('e0', `${HOST_A}/24`);
      // What a host sends by itself would stand among the frames that are counted.
      await hostA.sysctl({ 'net.ipv6.conf.e0.disable_ipv6': '1' });
      const ends = UNDERLAY[underlay];
      await far.addAddress('e0', `${ends.far}/${ends.prefixBits}`);
      if (adapter === 'raw-ip') await site.addAddress('e0', `${ends.site}/${ends.prefixBits}`);
      const wideplane = await Wideplane.start(site, configuration(row));
      const peer = await EtherIpPeer.start(far, {
        device: 'e0',
        local: ends.far,
        remote: ends.site,
        remoteMac: await site.mac('e0'),
        header: ETHERIP_HEADER[form],
        address: HOST_B,
        mac: STATION_MAC,
      });
      const file = `${makeDirectory('capture')}/outer.pcap`;
      const capture = await Capture.start(far, 'e0', file, { direction: 'in', filter: 'proto 97 or ip6 proto 97' });

      await reach(hostA, HOST_B);
      const macA = await hostA.mac('e0');
      for (const size of [0, 1, 17, 18, 56, 1000, innerMtu - 28]) {
        const { sent, received, text } = await ping(hostA, HOST_B, { size, count: 3 });
        assert.equal(received, sent, text);
        assert.equal(await peer.ping({ to: HOST_A, mac: macA, size, count: 3 }), 3, `${size} octets from scapy`);
      }
      await exerciseFrames(hostA, peer, macA);
      assert.deepEqual((await peer.seen()).headers, [], 'no frame is left');
      await capture.stop(45);
      if (form === 'rfc3378') assert.deepEqual(await findComplaints(file), []);
      // tshark knows the form of the RFC only, and reads the other one as version 0.
      const versions = await readFields(file, 'etherip', ['etherip.ver', 'etherip.reserved']);
      const expected = form === 'rfc3378' ? [3, 0] : [0, 0x300];
      assert.ok(
        versions.every(([version, reserved]) => Number(version) === expected[0] && Number(reserved) === expected[1]),
      );
      assert.equal(versions.length, await countPackets(file));

      const [before] = await wideplane.show('net tunnels tunnel', 'eip');
      assert.deepEqual(before?.drops, {});
      await peer.send([plainFrame(macA, STATION_MAC, 46)], '4000');
      await waitFor('a frame of version 4 is dropped by name', 3, async () => {
        const rows = [...(await wideplane.show('net tunnels tunnel')), ...(await wideplane.show('net self'))];
        return rows.some(({ drops }) => drops?.['ether-ip-version-invalid'] === 1);
      });
      await peer.stop();
      assert.equal(await wideplane.stop(), 0, wideplane.log);
    });
  }
});

/** Frames that are no IP, of an EtherType and of IEEE 802.3 with a length, cross as they are, in both directions. */
async function exerciseFrames(hostA: Namespace, peer: EtherIpPeer, macA: string): Promise<void> {
  const llc = Buffer.from(`ffffffffffff${macA.replaceAll(':', '')}002eaaaa0300000088b5`, 'hex');
  const outward = [plainFrame(STATION_MAC, macA, 46), Buffer.concat([llc, Buffer.alloc(38)])];
  const { headers } = await peer.seen();
  assert.equal(headers.length, 1);
  await sendRaw(hostA, 'e0', outward);
  const arrived: string[] = [];
  await waitFor('scapy has both frames', 3, async () => {
    arrived.push(...(await peer.seen()).frames);
    return arrived.length >= outward.length;
  });
  assert.deepEqual(
    arrived,
    outward.map((frame) => frame.toString('hex')),
  );

  const inward = [plainFrame(macA, STATION_MAC, 46), plainFrame('ff:ff:ff:ff:ff:ff', STATION_MAC, 200)];
  const file = `${makeDirectory('capture')}/inner.pcap`;
  const capture = await Capture.start(hostA, 'e0', file, { direction: 'in', filter: 'ether proto 0x88b5' });
  await peer.send(inward);
  await capture.stop(inward.length);
  const lengths = (await readFields(file, 'frame', ['frame.len', 'eth.dst'])).map((fields) => fields.join(' '));
  assert.deepEqual(lengths, [`60 ${macA}`, '214 ff:ff:ff:ff:ff:ff']);
}
