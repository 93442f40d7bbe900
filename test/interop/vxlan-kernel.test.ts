// time-out: 1500 s
// VXLAN against the Linux kernel's device, hosts bridged behind both ends (topology: harness/site.ts).

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  assertTunnelCarried,
  exerciseCapture,
  exerciseEchoes,
  exerciseStreams,
  largestEcho,
} from './harness/exercise.ts';
import { buildSite, DEFAULT_SITE, HOST_B, type SiteOptions } from './harness/site.ts';
import { ping, reach } from './harness/traffic.ts';

// Every value of every option stands in some row; the long form runs the whole product.
const SHORT: Partial<SiteOptions>[] = [
  { adapter: 'packet-ring', offloads: false, udpChecksum: false, mode: 'point-to-point', hostTag: 0 },
  { adapter: 'packet-ring', offloads: true, udpChecksum: true, mode: 'static-fdb', hostTag: 10 },
  { adapter: 'udp', offloads: false, udpChecksum: true, mode: 'static-fdb', hostTag: 0 },
  { adapter: 'udp', offloads: true, udpChecksum: false, mode: 'point-to-point', hostTag: 10 },
];

function product(): Partial<SiteOptions>[] {
  const rows: Partial<SiteOptions>[] = [];
  for (const adapter of ['packet-ring', 'udp'] as const)
    for (const offloads of [false, true])
      for (const udpChecksum of [false, true])
        for (const mode of ['point-to-point', 'static-fdb'] as const)
          for (const hostTag of [0, 10]) rows.push({ adapter, offloads, udpChecksum, mode, hostTag });
  return rows;
}

const isLong = process.env.WIDEPLANE_LONG === '1';

for (const row of isLong ? product() : SHORT) {
  const { adapter, offloads, udpChecksum, mode, hostTag } = { ...DEFAULT_SITE, ...row };
  const tag = hostTag === 0 ? 'untagged' : 'tagged';
  const onOff = (on: boolean): string => (on ? 'on' : 'off');
  it(`${adapter}, ${mode}, offloads ${onOff(offloads)}, UDP checksum ${onOff(udpChecksum)}, ${tag} hosts`, async () => {
    const site = await buildSite(row);
    await exerciseEchoes(site);
    await exerciseStreams(site);
    // With offloads on, what the kernel's own sockets leave on a veth is not what a wire would carry.
    if (!offloads) await exerciseCapture(site);
    await assertTunnelCarried(site);
    assert.equal(await site.wideplane.stop(), 0, site.wideplane.log);
  });
}

describe('frames and ports beside the usual', () => {
  for (const adapter of ['packet-ring', 'udp'] as const) {
    it(`${adapter}: jumbo frames of 9216 octets on the underlay`, async () => {
      const site = await buildSite({ adapter, underlayMtu: 9216 });
      await reach(site.hostA, HOST_B);
      const size = largestEcho(site.innerMtu);
      const { received, text } = await ping(site.hostA, HOST_B, { size, dontFragment: true });
      assert.equal(received, 5, text);
      await exerciseStreams(site);
      await site.wideplane.stop();
    });

    it(`${adapter}: UDP port 8472`, async () => {
      const site = await buildSite({ adapter, port: 8472 });
      await exerciseEchoes(site);
      await site.wideplane.stop();
    });
  }
});
