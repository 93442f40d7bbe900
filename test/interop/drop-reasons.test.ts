// Everything that goes wrong on the wire is dropped with a reason of its own, which a user sees in `show` and in
// `tcpdump --dropped` (topology: harness/site.ts, with a second tunnel vx2 that does not flood).

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { readFields } from './harness/capture.ts';
import { makeDirectory } from './harness/namespace.ts';
import { plainFrame, sendRaw, vxlanPacket, type VxlanPacket } from './harness/packets.ts';
import { buildSite, FAR_ADDRESS, HOST_B, SITE_ADDRESS, type Site } from './harness/site.ts';
import { reach } from './harness/traffic.ts';
import { waitFor } from './harness/wait.ts';

const REPEATS = 3;
const STRANGER = '02:00:00:00:99:01';
const NOBODY = '02:00:00:00:99:02';
const LONELY_TUNNEL = `
create net vlan lonely interfaces add { 1.2 { tagged } } tag 77
create net tunnels vxlan quiet defaults-from vxlan flooding-type none
create net tunnels tunnel vx2 local-address ${SITE_ADDRESS} remote-address any key 200 profile quiet
create net vlan-group quiet-lan members add { lonely vx2 } bridge-traffic enabled
`;

describe('drop reasons', () => {
  let site: Site;
  let siteMac = '';
  let farMac = '';

  before(async () => {
    site = await buildSite();
    for (const command of LONELY_TUNNEL.trim().split('\n')) await site.wideplane.tmsh(command);
    await reach(site.hostA, HOST_B);
    siteMac = await site.site.mac('e0');
    farMac = await site.far.mac('e0');
  });

  after(async () => {
    await site.wideplane.stop();
  });

  const outer = (change: Partial<VxlanPacket>): Buffer =>
    vxlanPacket({
      destinationMac: siteMac,
      sourceMac: farMac,
      source: FAR_ADDRESS,
      destination: SITE_ADDRESS,
      inner: plainFrame(NOBODY, STRANGER, 46),
      ...change,
    });

  /** Drops of one reason over all tunnels and what belongs to none. */
  const drops = async (reason: string): Promise<number> => {
    const rows = await site.wideplane.show('net tunnels tunnel');
    return rows.reduce((sum, row) => sum + (row.drops?.[reason] ?? 0), 0);
  };

  /** Sends the frame some times and expects each to be counted, listed and captured under the reason. */
  const expectDrop = async (reason: string, from: 'far' | 'hostA', frame: () => Buffer): Promise<void> => {
    const before = await drops(reason);
    const file = `${makeDirectory('dropped')}/dropped.pcapng`;
    const capture = site.site.start(site.wideplane.command('tcpdump', '--dropped', '-w', file));
    await capture.expect(/listening on/, 5);
    await sendRaw(site[from], 'e0', Array.from({ length: REPEATS }, frame));
    await waitFor(
      `${reason} is counted`,
      2,
      async () => (await drops(reason)) >= before + REPEATS,
      async () => JSON.stringify(await site.wideplane.show('net tunnels tunnel'), undefined, 1),
    );
    assert.equal(await drops(reason), before + REPEATS);
    assert.match(await site.wideplane.tmsh('show net tunnels tunnel'), new RegExp(`\\b${reason}\\b`));

    const comments = await waitFor('the drops are captured', 2, async () => {
      const found = await readFields(file, `frame.comment contains "${reason}"`, ['frame.comment']).catch(() => []);
      return found.length >= REPEATS && found;
    });
    assert.equal(comments.length, REPEATS);
    await capture.stop('SIGINT');
  };

  it('wrong VNI', () => expectDrop('unknown-vni', 'far', () => outer({ vni: 101 })));

  it('wrong port', () => expectDrop('port-lockdown', 'far', () => outer({ port: 4790 })));

  it('wrong remote', () => expectDrop('unknown-remote', 'far', () => outer({ source: '10.9.1.77' })));

  it('own packet looped back', () => expectDrop('own-packet-returned', 'far', () => outer({ source: SITE_ADDRESS })));

  it('own frame looped back', () => expectDrop('own-frame-returned', 'far', () => outer({ sourceMac: siteMac })));

  it('TTL 0', () => expectDrop('ttl-expired', 'far', () => outer({ ttl: 0 })));

  it('bad IPv4 header checksum', () =>
    expectDrop('ip-checksum-invalid', 'far', () => outer({ spoilIpChecksum: 0x5555 })));

  it('bad UDP checksum', () => expectDrop('udp-checksum-invalid', 'far', () => outer({ udpChecksum: 0x1234 })));

  it('VXLAN header without the I flag', () => expectDrop('vxlan-header-invalid', 'far', () => outer({ flags: 0x00 })));

  it('inner frame cut short', () =>
    expectDrop('inner-frame-too-short', 'far', () => outer({ inner: Buffer.alloc(10, 0x02) })));

  it('inner frame from a group address', () =>
    expectDrop('inner-source-mac-invalid', 'far', () => outer({ inner: plainFrame(NOBODY, '01:00:5e:00:00:05', 46) })));

  it('unknown destination where nothing floods', () =>
    expectDrop('flooding-none', 'hostA', () => tagged(77, plainFrame(NOBODY, STRANGER, 46))));

  it("frame larger than the tunnel's MTU", async () => {
    await site.hostA.ip('link', 'set', 'e0', 'mtu', '1500');
    await expectDrop('tunnel-mtu-exceeded', 'hostA', () => plainFrame(NOBODY, STRANGER, 1451));
  });

  it('a good one is not dropped', async () => {
    const before = (await site.wideplane.show('net tunnels tunnel', 'vx1'))[0]!;
    await sendRaw(site.far, 'e0', [outer({})]);
    const after = await waitFor('the frame is counted', 2, async () => {
      const [row] = await site.wideplane.show('net tunnels tunnel', 'vx1');
      return row!.stats!['Incoming Frames'] !== before.stats!['Incoming Frames'] && row;
    });
    assert.deepEqual(after.drops, before.drops);
  });
});

/** The frame with an 802.1Q tag. */
function tagged(vlan: number, frame: Buffer): Buffer {
  const tag = Buffer.from([0x81, 0x00, vlan >> 8, vlan & 0xff]);
  return Buffer.concat([frame.subarray(0, 12), tag, frame.subarray(12)]);
}
