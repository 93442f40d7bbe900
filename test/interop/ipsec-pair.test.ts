// IPsec between two gateways of ours, with hosts behind them whose kernels know nothing of it.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Capture, readFields } from './harness/capture.ts';
import { HOST, ipsec, IpsecPair, type IpsecSetup } from './harness/ipsec-pair.ts';
import { makeDirectory } from './harness/namespace.ts';
import { Iperf3Server, ping, reach } from './harness/traffic.ts';

const GCM: IpsecSetup = {
  auth: 'aes-gcm128',
  encrypt: 'aes-gcm128',
  encryptKey: '0x0102030405060708090a0b0c0d0e0f10aabbccdd',
};

describe('IPsec between two gateways', () => {
  it('carries echo, large packets and TCP, and shows none of it on the wire', async () => {
    const pair = await IpsecPair.start((side) => ipsec(side, GCM));
    const { a, b } = pair.hosts;
    await reach(a, HOST.b);
    const capture = await Capture.start(pair.sites.b, 'e0', `${makeDirectory('capture')}/wan.pcap`);
    for (const size of [56, 1300, 1472, 8000, 60_000]) {
      const { sent, received, text } = await ping(a, HOST.b, { size, forbidsNothing: true });
      assert.equal(received, sent, `${size}: ${text}`);
    }
    const server = await Iperf3Server.start(b, HOST.b);
    for (const reverse of [false, true]) {
      const { bitsPerSecond } = await server.measure(a, { reverse, octets: 20e6 });
      assert.ok(bitsPerSecond > 20e6, `${bitsPerSecond} bit/s`);
    }
    await server.stop();
    await capture.stop();
    assert.deepEqual(await readFields(capture.file, 'icmp || tcp', ['ip.src', 'ip.dst', 'icmp.type', 'icmp.code']), []);
    assert.ok((await readFields(capture.file, 'esp', ['frame.number'])).length > 100);
    const page = await pair.wideplanes.a.tmsh('show net ipsec ipsec-sa all-properties');
    assert.match(page, /Direction: out; {2}SPI: 0x00001001\(4097\)/, page);
    assert.match(page, /Condition: up \(green\)/, page);
    assert.doesNotMatch(page, /Dropped:.*ipsec/, page);
    assert.match(await pair.wideplanes.a.tmsh('show net ipsec-stat'), /1 +TUNNEL/);
    await pair.wideplanes.a.tmsh('delete net ipsec ipsec-sa');
    await reach(a, HOST.b);
    await pair.stop();
  });
});
