// A capture file is replayed into a VLAN; a host sees it, and another interface records it. With the addon and without.
//
//   9.1 replays ─┐
//                ├─ wideplane, VLAN lan ─ e0 ──── e0 [ host: tcpdump ]
//   9.2 records ─┘

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { it } from 'node:test';
import { LinkType, pcapngInterface, pcapngPacket, pcapngSectionHeader } from '../../src/wire/pcapng.ts';
import { hostFrame } from '../support/frames.ts';
import { Capture, readFields } from './harness/capture.ts';
import { connect, makeDirectory, Namespace } from './harness/namespace.ts';
import { waitFor } from './harness/wait.ts';
import { Wideplane } from './harness/wideplane.ts';

const FRAMES = 500;

/** Frames to nobody in particular, 2 ms apart, each of another length. */
function recording(): Buffer {
  const packets = Array.from({ length: FRAMES }, (_, index) => {
    const octets = hostFrame('ff:ff:ff:ff:ff:ff', '02:00:00:00:00:77', 60 + index);
    const timeNs = 1_700_000_000_000_000_000n + BigInt(index) * 2_000_000n;
    return pcapngPacket({ interfaceId: 0, timeNs, octets, originalOctets: octets.length, direction: 1, comment: '' });
  });
  const description = { name: 'a', description: '', linkType: LinkType.ethernet, snaplen: 0 };
  return Buffer.concat([pcapngSectionHeader('test'), pcapngInterface(description), ...packets]);
}

for (const [form, adapter] of [
  ['with the addon', 'packet-ring'],
  ['without the addon', 'pcap'],
] as const) {
  it(`a file is replayed with its timing and recorded, ${form}`, async () => {
    const directory = makeDirectory('files');
    const [replay, record, seen] = ['replay', 'record', 'seen'].map((name) => `${directory}/${name}.pcapng`);
    writeFileSync(replay!, recording());
    const site = await Namespace.create('site');
    const host = await Namespace.create('host');
    await connect([site, 'e0'], [host, 'e0']);
    const capture = await Capture.start(host, 'e0', seen!, { direction: 'in', filter: 'ether src 02:00:00:00:00:77' });
    const configuration = `
      net interface 1.1 { device e0 adapter ${adapter} }
      net interface 9.1 { adapter capture-file replay-file ${replay} replay-delay 2 }
      net interface 9.2 { adapter capture-file record-file ${record} }
      net vlan lan { interfaces { 1.1 { untagged } 9.1 { untagged } 9.2 { untagged } } tag 10 }
    `;
    if (adapter === 'pcap') process.env.WIDEPLANE_ADDON = '/nonexistent.node';
    const started = Wideplane.start(site, configuration).finally(() => delete process.env.WIDEPLANE_ADDON);
    const wideplane = await started;
    const frames = async (name: string, direction: 'Incoming' | 'Outgoing'): Promise<number> => {
      const [row] = await wideplane.show('net interface', name);
      assert.equal(row?.stats?.Status, 'up', wideplane.log);
      return Number(row.stats[`${direction} Frames`]);
    };
    // The host says something of its own, which is recorded as well.
    await waitFor('all is replayed', 15, async () => (await frames('9.1', 'Incoming')) >= FRAMES);
    assert.equal(await frames('9.1', 'Incoming'), FRAMES);
    await waitFor('all is recorded', 15, async () => (await frames('9.2', 'Outgoing')) >= FRAMES);
    await capture.stop(FRAMES);

    const expected = Array.from({ length: FRAMES }, (_, index) => String(60 + index));
    for (const file of [record!, seen!]) {
      const lengths = await readFields(file, 'eth.src == 02:00:00:00:00:77', ['frame.len', 'frame.time_epoch']);
      assert.deepEqual(
        lengths.map(([length]) => length),
        expected,
        file,
      );
      const took = Number(lengths.at(-1)![1]) - Number(lengths[0]![1]);
      assert.ok(took > 0.9 && took < 3, `${file}: ${took} s instead of 0.998`);
    }
    const status = await wideplane.tmsh('show net interface 9.1');
    assert.match(status, new RegExp(`Device\\s+${replay}`));
    assert.equal(await wideplane.stop(), 0, wideplane.log);
  });
}

it('a file that cannot be replayed is named, and the rest works', async () => {
  const directory = makeDirectory('files');
  writeFileSync(`${directory}/text.pcap`, 'no capture');
  const site = await Namespace.create('site');
  const configuration = `
    net interface 9.1 { adapter capture-file replay-file ${directory}/text.pcap }
    net interface 9.2 { adapter capture-file record-file ${directory}/record.pcapng }
    net vlan lan { interfaces { 9.1 { untagged } 9.2 { untagged } } tag 10 }
  `;
  const wideplane = await Wideplane.start(site, configuration);
  const rows = await wideplane.show('net interface');
  assert.deepEqual(
    rows.map(({ name, stats }) => [name, stats?.Status]),
    [
      ['9.1', 'failed'],
      ['9.2', 'up'],
    ],
  );
  await wideplane.says(/replay-file .*text\.pcap: at octet 0: neither pcap nor pcapng/);
  await wideplane.stop();
});

it('without the addon an interface that needs it says so, and what works without', async () => {
  const site = await Namespace.create('site');
  const host = await Namespace.create('host');
  await connect([site, 'e0'], [host, 'e0']);
  process.env.WIDEPLANE_ADDON = '/nonexistent.node';
  const started = Wideplane.start(site, 'net interface 1.1 { device e0 adapter packet-ring }');
  const wideplane = await started.finally(() => delete process.env.WIDEPLANE_ADDON);
  const [row] = await wideplane.show('net interface', '1.1');
  assert.equal(row?.stats?.Status, 'failed');
  await wideplane.says(/port 1\.1: adapter packet-ring needs the addon, and cannot load .*; adapter pcap works/);
  await wideplane.stop();
});
