import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type AdapterFacts, reportAdapters } from '../../../src/assembly/adapter-report.ts';
import { ADAPTERS } from '../../../src/config/types/net-interface.ts';
import type { Addon } from '../../../src/native/addon.ts';

const CAP = { Cap: Object as never };
const ALL = (1n << 41n) - 1n;
const works: AdapterFacts = {
  addon: { addon: {} as Addon, path: 'wideplane.node' },
  cap: { cap: CAP, path: 'cap', weakness: undefined },
  rawSocket: { rawSocket: {} as never, path: 'raw-socket' },
  effective: ALL,
  kernelHasXdp: true,
};
const problems = (facts: Partial<AdapterFacts>): Record<string, string> =>
  Object.fromEntries(
    reportAdapters({ ...works, ...facts }).flatMap(({ adapter, problem }) =>
      problem === undefined ? [] : [[adapter, problem]],
    ),
  );

describe('which adapters can work', () => {
  it('names every adapter once', () => {
    assert.deepEqual(
      reportAdapters(works).map(({ adapter }) => adapter),
      [...ADAPTERS],
    );
    assert.deepEqual(problems({}), {});
  });

  it('without the addon: raw-ip, pcap and capture-file, with its reason for the others', () => {
    const addon = { addon: undefined, reason: 'cannot load it' };
    const found = problems({ addon });
    assert.deepEqual(Object.keys(found), ['packet-ring', 'udp', 'tap', 'tun', 'af-xdp']);
    assert.ok(Object.values(found).every((reason) => reason === 'cannot load it'));
    const neither = problems({ addon, rawSocket: { rawSocket: undefined, reason: 'nor raw-socket' } });
    assert.equal(neither['raw-ip'], 'cannot load it; and nor raw-socket');
    const [weak] = reportAdapters({ ...works, addon }).filter(({ adapter }) => adapter === 'raw-ip');
    assert.equal(weak?.weakness, 'by the package raw-socket, IPv4 only: cannot load it');
  });

  it('without cap, without AF_XDP, without capabilities', () => {
    assert.deepEqual(problems({ cap: { cap: undefined, reason: 'no cap' } }), { pcap: 'no cap' });
    assert.match(problems({ kernelHasXdp: false })['af-xdp']!, /CONFIG_XDP_SOCKETS/);
    const bare = problems({ effective: 0n });
    assert.deepEqual(Object.keys(bare), ['packet-ring', 'raw-ip', 'tap', 'tun', 'af-xdp', 'pcap']);
    assert.match(bare['af-xdp']!, /CAP_NET_RAW, CAP_NET_ADMIN, CAP_BPF/);
  });

  it('says what is weak', () => {
    const report = reportAdapters({
      ...works,
      cap: { cap: CAP, path: 'cap', weakness: 'weak' },
    });
    assert.deepEqual(
      report.filter(({ weakness }) => weakness !== undefined).map(({ adapter }) => adapter),
      ['pcap'],
    );
  });
});
