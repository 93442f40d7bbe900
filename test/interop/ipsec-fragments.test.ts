// Packets that the sender has cut, in front of IPsec: transport mode seals them whole, and selectors that name ports are for all
// pieces of a packet, though only the first one has ports.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Capture, readFields } from './harness/capture.ts';
import {
  dropsOf,
  GATEWAY,
  GATEWAY6,
  HOST,
  ipsec,
  IpsecPair,
  type IpsecSetup,
  network,
  type Side,
} from './harness/ipsec-pair.ts';
import { makeDirectory } from './harness/namespace.ts';
import { ping, reach, UdpSequence } from './harness/traffic.ts';
import { delay } from './harness/wait.ts';

const KEYS: IpsecSetup = {
  auth: 'sha256',
  authKey: `0x${'5a'.repeat(32)}`,
  encrypt: 'aes256',
  encryptKeys: { a: `0x${'a1'.repeat(32)}`, b: `0x${'b2'.repeat(32)}` },
  association: 'replay-window-size 64',
};
const PORT = 4000;

describe('what sockets of the machine have cut', () => {
  for (const version of [4, 6] as const) {
    it(`IPv${version}: leaves whole in transport mode, and comes to a socket there`, async () => {
      const setup: IpsecSetup = { ...KEYS, mode: 'transport', outer: version, only: 17 };
      const base = (side: Side): string => network(side).replaceAll('allow-service none', 'allow-service all');
      const pair = await IpsecPair.start((side) => ipsec(side, setup), { network: base });
      const addresses = version === 4 ? GATEWAY : GATEWAY6;
      const { a, b } = pair.sites;
      await reach(a, addresses.b);
      const capture = await Capture.start(b, 'e0', `${makeDirectory('capture')}/wan.pcap`);
      for (const [from, to, target] of [
        [a, b, addresses.b],
        [b, a, addresses.a],
      ] as const) {
        for (const octets of [64, 1400, 1500, 8000, 60_000]) {
          const traffic = await UdpSequence.start(from, to, target, { perSecond: 50, port: PORT, octets });
          await delay(500);
          const report = await traffic.stop();
          assert.ok(report.received > 5, `${octets}: ${JSON.stringify(report)}`);
          assert.equal(report.lost, 0, `${octets}: ${JSON.stringify(report)}`);
        }
      }
      await capture.stop();
      assert.deepEqual(await readFields(capture.file, 'udp', ['frame.number', '_ws.col.Info']), []);
      for (const side of ['a', 'b'] as const) assert.deepEqual(await dropsOf(pair.wideplanes[side]), {}, side);
      await pair.stop();
    });
  }

  it('echoes of 60,000 octets', async () => {
    const pair = await IpsecPair.start((side) => ipsec(side, { ...KEYS, mode: 'transport', only: 1 }));
    for (const [from, to] of [
      [pair.sites.a, GATEWAY.b],
      [pair.sites.b, GATEWAY.a],
    ] as const) {
      await reach(from, to);
      const { sent, received, text } = await ping(from, to, { size: 60_000, count: 3 });
      assert.equal(received, sent, text);
    }
    await pair.stop();
  });
});

describe('a selector that names a port', () => {
  it('is for every fragment of a packet that is forwarded', async () => {
    const selector = `destination-port ${PORT}`;
    const pair = await IpsecPair.start((side) => ipsec(side, { ...KEYS, only: 17, selector }));
    const { a, b } = pair.hosts;
    await reach(a, HOST.b);
    const capture = await Capture.start(pair.sites.b, 'e0', `${makeDirectory('capture')}/wan.pcap`, {
      direction: 'in',
    });
    const traffic = await UdpSequence.start(a, b, HOST.b, { perSecond: 200, port: PORT, octets: 4000 });
    const other = await UdpSequence.start(a, b, HOST.b, { perSecond: 200, port: PORT + 1, octets: 4000 });
    await delay(2000);
    for (const each of [traffic, other]) {
      const report = await each.stop();
      assert.ok(report.received > 100, JSON.stringify(report));
      assert.equal(report.lost, 0, JSON.stringify(report));
    }
    await capture.stop();
    const ports = await readFields(capture.file, 'udp', ['udp.dstport']);
    assert.deepEqual(new Set(ports.flat()), new Set([String(PORT + 1)]), 'what the selector is not for');
    // In pieces too: those of the protected ones would be without a first.
    const options = ['-o', 'ip.defragment:FALSE'];
    const pieces = await readFields(capture.file, 'ip.proto == 17', ['ip.frag_offset', 'ip.id'], options);
    const firsts = new Set(pieces.filter(([offset]) => offset === '0').map(([, id]) => id));
    assert.deepEqual(
      pieces.filter(([, id]) => !firsts.has(id)),
      [],
    );
    for (const side of ['a', 'b'] as const) assert.deepEqual(await dropsOf(pair.wideplanes[side]), {}, side);
    await pair.stop();
  });
});
