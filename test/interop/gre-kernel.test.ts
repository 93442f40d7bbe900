// time-out: 900 s
// GRE in every form against the kernel of a Debian guest: layer 3 (gre, ip6gre), Ethernet in GRE (gretap, ip6gretap) and NVGRE;
// and the collector of a clone pool, a Linux gretap that a routed network lies in front of.
//
//   host-a ──── e1 [ site: wideplane ] e0 ════ eth0 [ guest: kernel GRE tun0 ]
//                        10.9.1.1                 10.9.1.2
//                        2001:db8:9::1            2001:db8:9::2
//
//   Ethernet in GRE:  host-a 172.16.0.1, tun0 172.16.0.2, one network
//   layer 3:          host-a 172.16.1.2, wideplane 172.16.1.1 and 172.16.0.1, tun0 172.16.0.2

import assert from 'node:assert/strict';
import { afterEach, before, beforeEach, describe, it } from 'node:test';
import { Capture, findComplaints, readFields } from './harness/capture.ts';
import { Guest } from './harness/guest.ts';
import { addKernelGre, type KernelGreType, nvgreKey } from './harness/kernel-gre.ts';
import { connect, makeDirectory, Namespace } from './harness/namespace.ts';
import { UNDERLAY } from './harness/site.ts';
import { Iperf3Server, ping, reach } from './harness/traffic.ts';
import { Wideplane } from './harness/wideplane.ts';

type Row = {
  name: string;
  type: KernelGreType;
  encapsulation: 'standard' | 'transparent-ethernet-bridging' | 'nvgre';
  /** Of the tunnel here; 0: none. */
  key?: number;
  kernelKey?: number | { out: number; in: number };
  checksum?: boolean;
  sequence?: boolean;
};

const VSID = 0x1234;
const TEB = 'transparent-ethernet-bridging';
const ROWS: readonly Row[] = [
  { name: 'gretap, keyless', type: 'gretap', encapsulation: TEB },
  { name: 'gretap, key', type: 'gretap', encapsulation: TEB, key: 4_000_000_000, kernelKey: 4_000_000_000 },
  {
    name: 'gretap, key, checksum and sequence numbers',
    type: 'gretap',
    encapsulation: TEB,
    key: 100,
    kernelKey: 100,
    checksum: true,
    sequence: true,
  },
  { name: 'ip6gretap, keyless', type: 'ip6gretap', encapsulation: TEB },
  {
    name: 'ip6gretap, key and checksum',
    type: 'ip6gretap',
    encapsulation: TEB,
    key: 100,
    kernelKey: 100,
    checksum: true,
  },
  // Linux has one key for all packets that it sends and one for all that it takes: a flow id of ours must be 0.
  {
    name: 'nvgre, flow id 7 from the kernel',
    type: 'gretap',
    encapsulation: 'nvgre',
    key: VSID,
    kernelKey: { out: nvgreKey(VSID, 7), in: nvgreKey(VSID, 0) },
  },
  { name: 'gre, keyless', type: 'gre', encapsulation: 'standard' },
  { name: 'gre, key', type: 'gre', encapsulation: 'standard', key: 100, kernelKey: 100 },
  {
    name: 'gre, key, checksum and sequence numbers',
    type: 'gre',
    encapsulation: 'standard',
    key: 100,
    kernelKey: 100,
    checksum: true,
    sequence: true,
  },
  { name: 'ip6gre, key', type: 'ip6gre', encapsulation: 'standard', key: 100, kernelKey: 100 },
  { name: 'ip6gre, keyless, checksum', type: 'ip6gre', encapsulation: 'standard', checksum: true },
];

const isLong = process.env.WIDEPLANE_LONG === '1';

/** Every form by the packet ring, and some by raw sockets; in the long form all of them by both. */
const CASES = [
  ...ROWS.map((row) => ({ adapter: 'packet-ring', row })),
  ...ROWS.filter(({ name }) => isLong || ['gretap, keyless', 'gre, key', 'ip6gre, key'].includes(name)).map((row) => ({
    adapter: 'raw-ip',
    row,
  })),
];

const isLayer3 = ({ encapsulation }: Row): boolean => encapsulation === 'standard';
const underlayOf = ({ type }: Row): 4 | 6 => (type.startsWith('ip6') ? 6 : 4);

/** In front of the inner IP packet: outer IP, GRE with its optional fields, inner Ethernet. */
function overheadOctets(row: Row): number {
  const fields = [row.key !== undefined, row.checksum, row.sequence].filter((is) => is === true).length;
  return (underlayOf(row) === 6 ? 40 : 20) + 4 + 4 * fields + (isLayer3(row) ? 0 : 14);
}

function configuration(row: Row, adapter: string): string {
  const { site, far, prefixBits } = UNDERLAY[underlayOf(row)];
  const { encapsulation, key = 0, checksum = false, sequence = false } = row;
  const onOff = checksum ? 'enabled' : 'disabled';
  const sequenced = sequence ? 'tx-sequence enabled rx-sequence enabled' : '';
  const inside = isLayer3(row)
    ? `
net self inside-self { address 172.16.1.1/24 vlan inside allow-service none }
net self inside-self6 { address 2001:db8:1::1/64 vlan inside allow-service none }
net self tunnel-self { address 172.16.0.1/24 vlan tunnel allow-service none }
net self tunnel-self6 { address 2001:db8:16::1/64 vlan tunnel allow-service none }`
    : 'net vlan-group lan { members { inside tunnel } mode transparent bridge-traffic enabled }';
  return `
net interface 1.1 { device e0 adapter ${adapter} }
net interface 1.2 { device e1 }
net vlan wan { interfaces { 1.1 { untagged } } tag 4094 }
net vlan inside { interfaces { 1.2 { untagged } } tag 10 }
net self wan-self { address ${site}/${prefixBits} vlan wan allow-service none }
net tunnels gre form { defaults-from gre encapsulation ${encapsulation} rx-csum ${onOff} tx-csum ${onOff} ${sequenced} }
net tunnels tunnel tunnel { local-address ${site} remote-address ${far} key ${key} profile form }
${inside}
`;
}

let site: Namespace;
let hostA: Namespace;
let guest: Guest;
/** Of the test that runs; after one that failed it would stand in the way of the next. */
let running: Wideplane | undefined;

async function start(text: string): Promise<Wideplane> {
  running = await Wideplane.start(site, text);
  return running;
}

before(async () => {
  site = await Namespace.create('site');
  hostA = await Namespace.create('host-a');
  await connect([hostA, 'e0'], [site, 'e1']);
  guest = await Guest.start(site);
  for (const { far, prefixBits } of Object.values(UNDERLAY)) await guest.addAddress('eth0', `${far}/${prefixBits}`);
});

beforeEach(async () => {
  await hostA.ip('address', 'flush', 'dev', 'e0', 'scope', 'global');
  // The kernel gives every gretap another MAC.
  await hostA.ip('neighbour', 'flush', 'dev', 'e0');
  await guest.attempt(['ip', 'link', 'delete', 'tun0']);
});

afterEach(async () => {
  await running?.stop();
  running = undefined;
  await site.ip('address', 'flush', 'dev', 'e0', 'scope', 'global');
});

/** Sets up host and kernel; resolves to the addresses of both, of either IP version. */
async function setUp(row: Row): Promise<{ host: string; far: string }[]> {
  const { site: remote, far: local } = UNDERLAY[underlayOf(row)];
  const { type, kernelKey, checksum = false, sequence = false } = row;
  const mtu = 1500 - overheadOctets(row);
  const addresses = ['172.16.0.2/24', '2001:db8:16::2/64'];
  const key = kernelKey === undefined ? {} : { key: kernelKey };
  await addKernelGre(guest, { type, local, remote, ...key, checksum, sequence, mtu, addresses });
  await hostA.ip('link', 'set', 'e0', 'mtu', String(mtu));
  if (!isLayer3(row)) {
    await hostA.addAddress('e0', '172.16.0.1/24', '2001:db8:16::1/64');
    return [
      { host: '172.16.0.1', far: '172.16.0.2' },
      { host: '2001:db8:16::1', far: '2001:db8:16::2' },
    ];
  }
  await hostA.addAddress('e0', '172.16.1.2/24', '2001:db8:1::2/64');
  await hostA.ip('route', 'replace', 'default', 'via', '172.16.1.1');
  await hostA.ip('-6', 'route', 'replace', 'default', 'via', '2001:db8:1::1');
  await guest.ip('route', 'replace', '172.16.1.0/24', 'dev', 'tun0');
  await guest.ip('-6', 'route', 'replace', '2001:db8:1::/64', 'dev', 'tun0');
  return [
    { host: '172.16.1.2', far: '172.16.0.2' },
    { host: '2001:db8:1::2', far: '2001:db8:16::2' },
  ];
}

/** Echoes of several sizes, both ways. */
async function exerciseEchoes(host: string, far: string, mtu: number): Promise<void> {
  // IP header, ICMP header 8.
  const largest = mtu - 8 - (far.includes(':') ? 40 : 20);
  await reach(hostA, far);
  for (const [from, to] of [
    [hostA, far],
    [guest, host],
  ] as const) {
    for (const size of isLong || !far.includes(':') ? [0, 56, largest, largest + 1, 20_000] : [largest, largest + 1]) {
      const { sent, received, text } = await ping(from, to, {
        size,
        count: 3,
        dontFragment: size === largest,
      });
      assert.equal(received, sent, `${size} octets from ${from.name}\n${text}`);
    }
  }
}

/** TCP both ways. */
async function exerciseStreams(host: string): Promise<void> {
  const server = await Iperf3Server.start(hostA, host);
  for (const reverse of [false, true]) {
    const { bitsPerSecond } = await server.measure(guest, { octets: 2_000_000, reverse });
    assert.ok(bitsPerSecond > 1e6, `TCP ${reverse ? 'to' : 'from'} the guest: ${bitsPerSecond} bit/s`);
  }
  await server.stop();
}

/** What the header of every packet says, of ours and of theirs. */
async function assertHeaders(row: Row, file: string): Promise<void> {
  const { checksum = false, sequence = false } = row;
  const [source, next, icmp] = underlayOf(row) === 6 ? ['ipv6.src', 'ipv6.nxt', 58] : ['ip.src', 'ip.proto', 1];
  const fields = ['gre.flags.checksum', 'gre.flags.key', 'gre.flags.sequence_number', 'gre.proto', 'gre.key', next];
  const { site: ours } = UNDERLAY[underlayOf(row)];
  const all = await readFields(file, `gre && ${source} == ${ours}`, fields, ['-E', 'occurrence=f']);
  // An ICMP error of ours quotes the header of theirs.
  const packets = all.filter((values) => Number(values[5]) !== icmp);
  assert.ok(packets.length > 20, `${packets.length} packets`);
  for (const [isSummed, isKeyed, isNumbered, protocol, key] of packets) {
    assert.deepEqual([isSummed, isNumbered].map(Number), [Number(checksum), Number(sequence)]);
    assert.equal(Number(isKeyed), row.key === undefined ? 0 : 1);
    if (!isLayer3(row)) assert.equal(Number(protocol), 0x6558);
    else assert.ok([0x0800, 0x86dd].includes(Number(protocol)), protocol);
    if (row.key === undefined) continue;
    assert.equal(Number(key) >>> 0, row.encapsulation === 'nvgre' ? nvgreKey(row.key, 0) : row.key);
  }
}

describe('GRE with the kernel of a guest', () => {
  for (const { adapter, row } of CASES) {
    it(`${adapter}: ${row.name}`, async () => {
      const pairs = await setUp(row);
      if (adapter === 'raw-ip') {
        const { site: own, prefixBits } = UNDERLAY[underlayOf(row)];
        await site.addAddress('e0', `${own}/${prefixBits}`);
      }
      const wideplane = await start(configuration(row, adapter));
      const [status] = await wideplane.show('net tunnels tunnel', 'tunnel');
      const mtu = 1500 - overheadOctets(row);
      assert.equal(status?.stats?.MTU, mtu);
      const file = `${makeDirectory('capture')}/outer.pcap`;
      const capture = await Capture.start(site, 'e0', file);
      for (const { host, far } of pairs) await exerciseEchoes(host, far, mtu);
      await capture.stop(60);
      for (const { host } of isLong ? pairs : pairs.slice(0, 1)) await exerciseStreams(host);
      assert.deepEqual(await findComplaints(file), []);
      await assertHeaders(row, file);
      const [after] = await wideplane.show('net tunnels tunnel', 'tunnel');
      assert.deepEqual(after?.drops, {});
      assert.equal(await wideplane.stop(), 0, wideplane.log);
      running = undefined;
    });
  }
});

// "Clone Pool Across L3": the collector is a Linux box that runs `ip link add tun0 type gretap local any remote ADDRESS ttl 255`;
// the device here has a tunnel of type transparent Ethernet bridging, a self IP on it, and static ARP and FDB entries for an
// address that nobody has. What is sent to that address arrives in the collector, whatever its IP addresses are.
it('the collector of a clone pool: what goes to the static neighbour arrives in a keyless gretap', async () => {
  const COLLECTOR_MAC = '02:00:00:00:00:cc';
  const { far } = UNDERLAY[4];
  await guest.ip('link', 'add', 'tun0', 'type', 'gretap', 'local', 'any', 'remote', UNDERLAY[4].site, 'ttl', '255');
  await guest.ip('link', 'set', 'tun0', 'up');
  const wideplane = await start(
    `
net interface 1.1 { device e0 }
net interface 1.2 { device e1 }
net vlan wan { interfaces { 1.1 { untagged } } tag 4094 }
net vlan inside { interfaces { 1.2 { untagged } } tag 10 }
net self wan-self { address ${UNDERLAY[4].site}/24 vlan wan allow-service none }
net self inside-self { address 172.16.1.1/24 vlan inside allow-service none }
net tunnels gre teb { defaults-from gre encapsulation transparent-ethernet-bridging }
net tunnels tunnel clone { local-address ${UNDERLAY[4].site} remote-address any profile teb }
net self clone-self { address 172.16.9.1/24 vlan clone allow-service none }
net fdb tunnel clone { records { ${COLLECTOR_MAC} { endpoint ${far} } } }
net arp collector { ip-address 172.16.9.9 mac-address ${COLLECTOR_MAC} }
`,
  );
  await hostA.ip('link', 'set', 'e0', 'mtu', '1400');
  await hostA.addAddress('e0', '172.16.1.2/24');
  await hostA.ip('route', 'replace', 'default', 'via', '172.16.1.1');
  await reach(hostA, '172.16.1.1');
  const pcap = '/tmp/collector.pcap';
  const tcpdump = `tcpdump -i tun0 -nnnn -U -Z root -c 12 -w ${pcap} icmp`;
  const collected = guest.attempt(['sh', '-c', tcpdump], { seconds: 15 });
  await ping(hostA, '172.16.9.9', { count: 20, intervalSeconds: 0.2 });
  const { status, stderr } = await collected;
  assert.equal(status, 0, stderr);
  const frames = await guest.run(['tcpdump', '-r', pcap, '-Z', 'root', '-nnnn', '-e']);
  const lines = frames.split('\n').filter((line) => line !== '');
  assert.equal(lines.length, 12);
  const mac = `> ${COLLECTOR_MAC}, ethertype IPv4`;
  assert.ok(
    lines.every((line) => line.includes(mac) && line.includes('172.16.1.2 > 172.16.9.9: ICMP echo request')),
    frames,
  );
  assert.equal(await wideplane.stop(), 0, wideplane.log);
});
