// Packets of each IP version inside gateways' packets of the other.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Capture, readFields } from './harness/capture.ts';
import { HOST, HOST6, ipsec, IpsecPair, type IpsecSetup } from './harness/ipsec-pair.ts';
import { makeDirectory } from './harness/namespace.ts';
import { Iperf3Server, ping, reach } from './harness/traffic.ts';

const SETUP: IpsecSetup = {
  auth: 'sha256',
  authKey: `0x${'5a'.repeat(32)}`,
  encrypt: 'aes256',
  encryptKeys: { a: `0x${'a1'.repeat(32)}`, b: `0x${'b2'.repeat(32)}` },
  association: 'replay-window-size 64',
};

for (const [outer, inner] of [
  [6, 4],
  [4, 6],
] as const) {
  it(`IPv${inner} inside IPv${outer}: echo, large packets, TCP`, async () => {
    const pair = await IpsecPair.start((side) => ipsec(side, { ...SETUP, outer, inner }));
    const to = (inner === 4 ? HOST : HOST6).b;
    const { a, b } = pair.hosts;
    const capture = await Capture.start(pair.sites.b, 'e0', `${makeDirectory('capture')}/wan.pcap`);
    await reach(a, to);
    for (const size of [1300, 1450, 8000, 60_000]) {
      // Hosts of IPv6 are told the MTU first.
      await reach(a, to, 5, { size, forbidsNothing: true });
      const { sent, received, text } = await ping(a, to, { size, count: 3, forbidsNothing: true });
      assert.equal(received, sent, `${size}: ${text}`);
    }
    const server = await Iperf3Server.start(b, to);
    await server.measure(a, { octets: 5e6 });
    await server.measure(a, { octets: 5e6, reverse: true });
    await server.stop();
    await capture.stop();
    const clear = 'tcp || icmp || icmpv6.type == 128 || icmpv6.type == 129';
    assert.deepEqual(await readFields(capture.file, clear, ['frame.number']), []);
    const version = outer === 4 ? 'ip' : 'ipv6';
    assert.ok((await readFields(capture.file, `esp && ${version}`, ['frame.number'])).length > 100);
    await pair.stop();
  });
}
