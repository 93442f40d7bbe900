// time-out: 900 s
// VXLAN with the Linux kernel through the adapters that are not the usual ones, on the underlay and towards the host.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { assertTunnelCarried, exerciseCapture, exerciseEchoes, exerciseStreams } from './harness/exercise.ts';
import { buildSite, HOST_B, type SiteOptions } from './harness/site.ts';
import { reach } from './harness/traffic.ts';
import { waitFor } from './harness/wait.ts';

type Row = Partial<SiteOptions> & { withoutAddon?: boolean };

const ROWS: Row[] = [
  { adapter: 'af-xdp', hostAdapter: 'af-xdp', offloads: false, udpChecksum: false, mode: 'point-to-point' },
  { adapter: 'af-xdp', hostAdapter: 'af-xdp', offloads: true, udpChecksum: true, mode: 'static-fdb' },
  { adapter: 'af-xdp', hostAdapter: 'packet-ring', offloads: true, udpChecksum: false, mode: 'static-fdb' },
  { adapter: 'packet-ring', hostAdapter: 'af-xdp', offloads: true, udpChecksum: false, mode: 'point-to-point' },
  { adapter: 'pcap', hostAdapter: 'pcap', offloads: false, udpChecksum: true, mode: 'static-fdb' },
  { adapter: 'pcap', hostAdapter: 'packet-ring', offloads: true, udpChecksum: true, mode: 'point-to-point' },
  { adapter: 'pcap', hostAdapter: 'pcap', offloads: false, mode: 'point-to-point', withoutAddon: true },
  { adapter: 'pcap', hostAdapter: 'pcap', offloads: true, udpChecksum: true, hostTag: 10, withoutAddon: true },
];

for (const withoutAddon of [false, true]) {
  it(`pcap: a link goes down and comes back, ${withoutAddon ? 'without' : 'with'} the addon`, async () => {
    if (withoutAddon) process.env.WIDEPLANE_ADDON = '/nonexistent.node';
    const site = await buildSite({ adapter: 'pcap', hostAdapter: 'pcap' }).finally(
      () => delete process.env.WIDEPLANE_ADDON,
    );
    const { wideplane } = site;
    await reach(site.hostA, HOST_B);
    const pid = wideplane.daemonPid('dataplaned');
    for (const device of ['e1', 'e0']) {
      await site.site.ip('link', 'set', device, 'down');
      await waitFor('the loss in the log', 3, () => wideplane.log.includes(`the link of ${device} is down`));
      await site.site.ip('link', 'set', device, 'up');
      await reach(site.hostA, HOST_B);
    }
    assert.equal(wideplane.daemonPid('dataplaned'), pid);
    assert.equal(await wideplane.stop(), 0, wideplane.log);
  });
}

for (const { withoutAddon = false, ...row } of ROWS) {
  const onOff = (on: boolean | undefined): string => (on === true ? 'on' : 'off');
  const name = `${row.adapter} and ${row.hostAdapter}, offloads ${onOff(row.offloads)}, UDP checksum ${onOff(row.udpChecksum)}`;
  it(withoutAddon ? `without the addon: ${name}` : name, async () => {
    if (withoutAddon) process.env.WIDEPLANE_ADDON = '/nonexistent.node';
    const site = await buildSite(row).finally(() => delete process.env.WIDEPLANE_ADDON);
    assert.equal(site.wideplane.log.includes('cannot load /nonexistent.node'), withoutAddon);
    await reach(site.hostA, HOST_B);
    // A device takes a tenth of a second to open: what came in by the one before is no fault of the tunnel.
    await site.wideplane.tmsh('reset-stats net tunnels tunnel');
    await exerciseEchoes(site);
    await exerciseStreams(site);
    // With offloads on, what the kernel's own sockets leave on a veth is not what a wire would carry.
    if (row.offloads !== true) await exerciseCapture(site);
    await assertTunnelCarried(site);
    assert.equal(await site.wideplane.stop(), 0, site.wideplane.log);
  });
}
