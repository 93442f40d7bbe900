// time-out: 600 s
// EtherIP between two wideplanes, hosts bridged behind both (topology: harness/pair.ts); tshark judges what is between them.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Capture, findComplaints, readFields } from './harness/capture.ts';
import { largestEcho } from './harness/exercise.ts';
import { makeDirectory } from './harness/namespace.ts';
import { buildPair } from './harness/pair.ts';
import { Iperf3Server, ping, reach } from './harness/traffic.ts';
import type { Wideplane } from './harness/wideplane.ts';

const dropsOf = async (wideplane: Wideplane): Promise<Record<string, number>> =>
  (await wideplane.show('net tunnels tunnel', 'vx1'))[0]!.drops ?? {};

for (const [nibble, version] of [
  ['high', '3'],
  ['low', '0'],
] as const) {
  it(`carries echoes of every size and streams, with the version in the ${nibble} half`, async () => {
    const { sides, innerMtu } = await buildPair({
      ends: ['ring', 'ring'],
      ...{ underlay: 'packet-ring', offloads: nibble === 'low', underlayMtu: 1500, udpChecksum: false },
      form: {
        profile: `net tunnels etherip form { version-nibble ${nibble} }`,
        tunnel: 'profile form',
        overheadOctets: 36,
      },
    });
    const [near, far] = sides;
    await reach(near.host, far.address);
    // What one end sent before the other was there.
    const early = await Promise.all(sides.map(({ wideplane }) => dropsOf(wideplane)));
    const file = `${makeDirectory('capture')}/etherip.pcap`;
    const capture = await Capture.start(far.site, 'e0', file, { filter: 'ip proto 97', direction: 'in' });
    for (const size of [56, largestEcho(innerMtu), 20_000]) {
      assert.equal((await ping(near.host, far.address, { size, dontFragment: size < 2000 })).received, 5, String(size));
    }
    await capture.stop(10);
    const packets = await readFields(file, 'icmp.type == 8', ['etherip.ver', 'ip.proto', 'ip.dst']);
    assert.ok(packets.length >= 10);
    for (const packet of packets) assert.deepEqual(packet, [version, '97,1', `10.9.1.2,${far.address}`]);
    // tshark knows one form only, and calls the version of the other 0.
    if (nibble === 'high') assert.deepEqual(await findComplaints(file), []);

    const server = await Iperf3Server.start(far.host, far.address);
    for (const reverse of [false, true]) {
      const { bitsPerSecond } = await server.measure(near.host, { reverse, seconds: 2 });
      assert.ok(bitsPerSecond > 20e6, `${bitsPerSecond} bit/s`);
    }
    await server.stop();
    for (const [index, { wideplane }] of sides.entries()) {
      const [row] = await wideplane.show('net tunnels tunnel', 'vx1');
      assert.ok(Number(row!.stats!['Incoming Frames']) > 100, JSON.stringify(row));
      assert.deepEqual(row!.drops ?? {}, early[index]);
      assert.equal(row!.stats!.MTU, innerMtu);
      assert.equal(await wideplane.stop(), 0, wideplane.log);
    }
  });
}
