// alone
// time-out: 900 s
// VXLAN against Open vSwitch in user-space mode, hosts bridged behind both ends (topology: harness/site.ts).

import assert from 'node:assert/strict';
import { it } from 'node:test';
import {
  assertTunnelCarried,
  exerciseCapture,
  exerciseEchoes,
  exerciseStreams,
  largestEcho,
} from './harness/exercise.ts';
import { buildSite, HOST_B, type SiteOptions } from './harness/site.ts';
import { ping, reach } from './harness/traffic.ts';

const ROWS: Partial<SiteOptions>[] = [
  { adapter: 'packet-ring', offloads: false, udpChecksum: true, mode: 'point-to-point', hostTag: 10 },
  { adapter: 'packet-ring', offloads: true, udpChecksum: false, mode: 'static-fdb', hostTag: 0 },
  { adapter: 'udp', offloads: false, udpChecksum: false, mode: 'static-fdb', hostTag: 10 },
];

for (const row of ROWS) {
  const name = Object.entries(row).map(([key, value]) => `${key} ${String(value)}`);
  it(name.join(', '), async () => {
    const site = await buildSite({ ...row, peer: 'open-vswitch' });
    await exerciseEchoes(site);
    await exerciseStreams(site);
    if (row.offloads === false) await exerciseCapture(site);
    await assertTunnelCarried(site);
    assert.equal(await site.wideplane.stop(), 0, site.wideplane.log);
  });
}

it('jumbo frames', async () => {
  const site = await buildSite({ peer: 'open-vswitch', underlayMtu: 9000 });
  await reach(site.hostA, HOST_B);
  const { received, text } = await ping(site.hostA, HOST_B, { size: largestEcho(site.innerMtu), dontFragment: true });
  assert.equal(received, 5, text);
  await site.wideplane.stop();
});
