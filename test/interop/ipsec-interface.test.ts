// Interface mode between two gateways of ours: a tunnel with self IPs of its own, and routes through it.
//
//   host-a ── [ site-a ] ── tunnel t1, 172.16.0.1 and 2001:db8:16::1 ═══ 172.16.0.2 and 2001:db8:16::2 ── [ site-b ] ── host-b

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Capture, readFields } from './harness/capture.ts';
import { gateway, HOST, HOST6, IpsecPair, network, other, SPIS, type Side } from './harness/ipsec-pair.ts';
import { makeDirectory } from './harness/namespace.ts';
import { Iperf3Server, ping, reach, UdpSequence } from './harness/traffic.ts';
import { waitFor } from './harness/wait.ts';
import type { Wideplane } from './harness/wideplane.ts';

const NUMBER = { a: 1, b: 2 } as const;
/** IPv4 20, ESP 8, IV 8, padding up to 4 octets and its two, ICV 16: what is left of 1500. */
const INNER_MTU = 1446;

/** Without routes to the other side: those lead into the tunnel. */
const base = (side: Side): string => network(side).replace(/^net route .*$/gm, '');

const selfs = (side: Side): string[] => [
  `net self t4 address 172.16.0.${NUMBER[side]}/24 vlan t1 allow-service default`,
  `net self t6 address 2001:db8:16::${NUMBER[side]}/64 vlan t1 allow-service default`,
];
const routes = (side: Side): string[] => [
  `net route far4 network 10.${NUMBER[other(side)]}.0.0/16 gw 172.16.0.${NUMBER[other(side)]}`,
  `net route far6 network 2001:db8:${other(side)}::/64 interface t1`,
];
const tunnel = (side: Side): string =>
  `net tunnels tunnel t1 local-address ${gateway(side, 4)} remote-address ${gateway(other(side), 4)} profile tp`;

/** `type name property value …` as a stanza. */
const stanza = (line: string): string => {
  const words = line.split(' ');
  const head = words[1] === 'tunnels' ? 4 : 3;
  return `${words.slice(0, head).join(' ')} { ${words.slice(head).join(' ')} }`;
};

function configuration(side: Side): string {
  const associations = (['out', 'in'] as const).map((way) => {
    const from = way === 'out' ? side : other(side);
    return `
net ipsec manual-security-association sa-${way} {
    auth-algorithm aes-gcm128 encrypt-algorithm aes-gcm128 encrypt-key 0x${(from === 'a' ? 'a1' : 'b1').repeat(20)}
    source-address ${gateway(from, 4)} destination-address ${gateway(other(from), 4)} spi ${SPIS[from]}
    ipsec-policy pi replay-window-size 1024
}`;
  });
  const [local, remote] = [gateway(side, 4), gateway(other(side), 4)];
  return `
net ipsec ipsec-policy pi { mode interface tunnel-local-address ${local} tunnel-remote-address ${remote} }
net ipsec traffic-selector ts { ipsec-policy pi order 10 }
net tunnels ipsec tp { defaults-from ipsec traffic-selector ts }
${associations.join('')}
${[tunnel(side), ...selfs(side), ...routes(side)].map(stanza).join('\n')}
`;
}

const statistics = async (wideplane: Wideplane): Promise<Record<string, string | number>> =>
  (await wideplane.show('net tunnels tunnel', 't1'))[0]!.stats!;

it('interface mode carries both versions, has an MTU and counters, and goes and comes under traffic', async () => {
  const pair = await IpsecPair.start(configuration, { network: base, offloads: true });
  const { hosts, wideplanes } = pair;
  const { a, b } = hosts;
  const capture = await Capture.start(pair.sites.b, 'e0', `${makeDirectory('capture')}/wan.pcap`);
  await reach(a, HOST.b);
  await reach(a, HOST6.b);
  await reach(a, '172.16.0.2');
  await reach(a, '2001:db8:16::2');

  for (const to of [HOST.b, HOST6.b]) {
    for (const size of [56, 1300, 1472, 20_000]) {
      // Hosts of IPv6 are told the MTU first.
      await reach(a, to, 5, { size, forbidsNothing: true });
      const { sent, received, text } = await ping(a, to, { size, count: 3, forbidsNothing: true });
      assert.equal(received, sent, `${to} ${size}: ${text}`);
    }
    const server = await Iperf3Server.start(b, to);
    for (const reverse of [false, true]) {
      const { bitsPerSecond } = await server.measure(a, { octets: 10e6, reverse });
      assert.ok(bitsPerSecond > 5e6, `${to}: ${bitsPerSecond} bit/s`);
    }
    await server.stop();
  }

  const { MTU: mtu, Status: status } = await statistics(wideplanes.a);
  assert.deepEqual([mtu, status], [INNER_MTU, 'up']);
  // What does not fit is reported with what does, and that fits.
  await a.ip('route', 'flush', 'cache');
  const large = await ping(a, HOST.b, { size: INNER_MTU - 28 + 1, dontFragment: true, count: 2, waitSeconds: 1 });
  assert.match(large.text, new RegExp(`mtu *= *${INNER_MTU}`), large.text);
  const fitting = await ping(a, HOST.b, { size: INNER_MTU - 28, dontFragment: true, count: 3 });
  assert.equal(fitting.received, fitting.sent, fitting.text);

  const [before, beforeB] = [await statistics(wideplanes.a), await statistics(wideplanes.b)];
  const counted = await ping(a, HOST.b, { count: 10, size: 100, intervalSeconds: 0.02 });
  assert.equal(counted.received, 10);
  const [after, afterB] = [await statistics(wideplanes.a), await statistics(wideplanes.b)];
  for (const [first, last] of [
    [before, after],
    [beforeB, afterB],
  ] as const) {
    for (const way of ['Incoming', 'Outgoing']) {
      assert.equal(Number(last[`${way} Frames`]) - Number(first[`${way} Frames`]), 10, way);
      assert.equal(Number(last[`${way} Octets`]) - Number(first[`${way} Octets`]), 10 * 128, way);
    }
  }
  assert.match(await wideplanes.a.tmsh('show net tunnels tunnel t1'), /Outgoing Frames/);

  const traffic = await UdpSequence.start(a, b, HOST.b, { perSecond: 500 });
  for (let round = 0; round < 2; round++) {
    for (const name of ['net route far4', 'net route far6', 'net self t4', 'net self t6', 'net tunnels tunnel t1']) {
      await wideplanes.a.tmsh(`delete ${name}`);
    }
    await traffic.report();
    assert.equal((await traffic.report()).received, 0, 'no tunnel, and all the same it arrives');
    for (const line of [tunnel('a'), ...selfs('a'), ...routes('a')]) await wideplanes.a.tmsh(`create ${line}`);
    await waitFor('datagrams arrive again', 5, async () => (await traffic.report()).received > 50);
  }
  assert.deepEqual((await traffic.stop()).duplicates, 0);
  await reach(a, HOST6.b);
  await capture.stop();
  const clear = 'tcp || (udp && !dns) || icmp || icmpv6.type == 128 || icmpv6.type == 129';
  assert.deepEqual(await readFields(capture.file, clear, ['frame.number']), []);
  await pair.stop();
});
