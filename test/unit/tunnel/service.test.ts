import assert from 'node:assert/strict';
import { it } from 'node:test';
import { LocalAddresses } from '../../../src/assembly/dataplaned/local-addresses.ts';
import { protocolService, SERVICE_BITS, serviceIsUdp, serviceNumber, udpService } from '../../../src/tunnel/service.ts';

it('tells a UDP port from the IP protocol of the same number', () => {
  assert.notEqual(udpService(47), protocolService(47));
  assert.deepEqual([serviceIsUdp(udpService(47)), serviceIsUdp(protocolService(47))], [true, false]);
  assert.deepEqual([serviceNumber(udpService(65_535)), serviceNumber(protocolService(97))], [65_535, 97]);
  for (const service of [udpService(65_535), protocolService(255)]) assert.ok(service < 1 << SERVICE_BITS);
});

it('keeps listeners of both apart, in neighbouring domains too', () => {
  const addresses = new LocalAddresses();
  let number = 0;
  const places = [0, 1, 2, 300].flatMap((domain) =>
    [udpService(0), udpService(47), udpService(65_535), protocolService(47), protocolService(97)].map((service) => {
      addresses.addListener(domain, [0, 0, 0, 1], service, number);
      return { domain, service, listener: number++ };
    }),
  );
  for (const { domain, service, listener } of places) {
    assert.equal(addresses.listener(domain, 0, 0, 0, 1, service), listener);
  }
  addresses.removeListener(1, [0, 0, 0, 1], protocolService(47));
  assert.equal(addresses.listener(1, 0, 0, 0, 1, protocolService(47)), -1);
  assert.notEqual(addresses.listener(1, 0, 0, 0, 1, udpService(47)), -1);
});
