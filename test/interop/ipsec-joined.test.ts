// Sealed packets that leave joined (UDP_SEGMENT by the kernel behind a packet ring) and come in joined (GRO), over a wire where they
// are datagrams of their own. Only gateway a asks to have them joined; b is told of each for itself.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Capture, readFields } from './harness/capture.ts';
import { dropsOf, HOST, ipsec, IpsecPair, type IpsecSetup, network, type Side } from './harness/ipsec-pair.ts';
import { makeDirectory } from './harness/namespace.ts';
import { Iperf3Server, reach } from './harness/traffic.ts';

const KEY = '0102030405060708090a0b0c0d0e0f10aabbccdd';
const SETUP: IpsecSetup = {
  auth: 'aes-gcm128',
  encrypt: 'aes-gcm128',
  encryptKey: `0x${KEY}`,
  udpPort: 4500,
  replayWindow: 1024,
};
/** What tshark needs to open and to check all of it. */
const DECRYPT = [
  'esp.enable_encryption_decode:TRUE',
  'esp.enable_authentication_check:TRUE',
  'tcp.check_checksum:TRUE',
  'udp.check_checksum:TRUE',
  `uat:esp_sa:"IPv4","*","*","*","AES-GCM with 16 octet ICV [RFC4106]","0x${KEY}","NULL","","32-bit"`,
].flatMap((preference) => ['-o', preference]);

const joining = (side: Side): string =>
  side === 'a' ? network(side).replace('device e0 }', 'device e0 receive-offloads join-datagrams }') : network(side);

it('sealed TCP joined at both ends, and datagrams in between', async () => {
  const pair = await IpsecPair.start((side) => ipsec(side, SETUP), { network: joining, offloads: true });
  const { a, b } = pair.hosts;
  await reach(a, HOST.b);
  const server = await Iperf3Server.start(b, HOST.b);

  // From a to b, as b has it from the wire: datagrams, of which those that left joined have a right checksum.
  const capture = await Capture.start(pair.sites.b, 'e0', `${makeDirectory('capture')}/wan.pcap`, { direction: 'in' });
  await server.measure(a, { octets: 1_000_000 });
  // tcpdump may lose some.
  await capture.stop(200);
  const fields = ['frame.len', 'udp.checksum', 'udp.checksum.status', 'esp.icv_good', 'tcp.checksum.status'];
  const packets = await readFields(capture.file, 'esp', fields, DECRYPT);
  assert.ok(packets.length > 200, `${packets.length} packets`);
  for (const packet of packets) {
    const [octets, checksum, status, icv, tcp] = packet;
    assert.ok(Number(octets) <= 1514, String(packet));
    assert.equal(status, checksum === '0x0000' ? '3' : '1', String(packet));
    assert.deepEqual([icv, tcp], ['1', '1'], String(packet));
  }
  assert.ok(packets.filter(([, checksum]) => checksum !== '0x0000').length > packets.length / 2);

  // From b to a: what came in by the wire is fewer than what came out of the association.
  const before = await counts(pair);
  await server.measure(a, { octets: 30_000_000, reverse: true });
  const after = await counts(pair);
  const [frames, sealed] = [after.frames - before.frames, after.sealed - before.sealed];
  assert.ok(sealed > 20_000 && frames < sealed / 2, `${frames} frames with ${sealed} packets`);
  await server.stop();
  for (const wideplane of [pair.wideplanes.a, pair.wideplanes.b]) {
    // By these the hosts have learned how large their packets may be.
    const { 'tunnel-mtu-exceeded': tooLarge = 0, ...drops } = await dropsOf(wideplane);
    assert.deepEqual(drops, {});
    assert.ok(tooLarge < 100, `${tooLarge} packets too large`);
  }
  await pair.stop();
});

async function counts({ wideplanes }: IpsecPair): Promise<{ frames: number; sealed: number }> {
  const [port] = await wideplanes.a.show('net interface', '1.1');
  const page = await wideplanes.a.tmsh('show net ipsec ipsec-sa spi 8194 all-properties');
  const sealed = /Packets: (\d+)/.exec(page)?.[1];
  assert.ok(sealed !== undefined, page);
  return { frames: Number(port?.stats?.['Incoming Frames']), sealed: Number(sealed) };
}
