// time-out: 300 s
// Interface mode against an xfrm interface of the kernel of a Debian guest: either end routes into a device that is the tunnel.
//
//   host-a ── e1 [ site: wideplane ] e0 ════ eth0 [ guest: ipsec0, lo ]
//   10.1.0.10       10.1.0.1    192.0.2.1        192.0.2.2   10.2.0.20
//   2001:db8:a::10   tunnel t1: 172.16.0.1       ipsec0: 172.16.0.2   2001:db8:b::20

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Capture, readFields } from './harness/capture.ts';
import { Guest } from './harness/guest.ts';
import type { Host } from './harness/host.ts';
import { dropsOf, GATEWAY, HOST, HOST6, NETWORK, network, SPIS } from './harness/ipsec-pair.ts';
import { connect, makeDirectory, Namespace } from './harness/namespace.ts';
import { Iperf3Server, ping, reach } from './harness/traffic.ts';
import { Wideplane } from './harness/wideplane.ts';
import { describeXfrm, readXfrm } from './harness/xfrm.ts';

const IF_ID = 42;
/** IPv4 20, ESP 8, IV 8, padding up to 4 octets and its two, ICV 16: what is left of 1500. */
const INNER_MTU = 1446;
const INNER = { a: '172.16.0.1', b: '172.16.0.2' } as const;
const INNER6 = { a: '2001:db8:16::1', b: '2001:db8:16::2' } as const;
const KEY = { a: `0x${'a1'.repeat(20)}`, b: `0x${'b1'.repeat(20)}` } as const;

const CONFIGURATION = `
${network('a').replace(/^net route .*$/gm, '')}
net ipsec ipsec-policy pi { mode interface tunnel-local-address ${GATEWAY.a} tunnel-remote-address ${GATEWAY.b} }
net ipsec traffic-selector ts { ipsec-policy pi order 10 }
net tunnels ipsec tp { defaults-from ipsec traffic-selector ts }
net ipsec manual-security-association sa-out {
    auth-algorithm aes-gcm128 encrypt-algorithm aes-gcm128 encrypt-key ${KEY.a}
    source-address ${GATEWAY.a} destination-address ${GATEWAY.b} spi ${SPIS.a} ipsec-policy pi replay-window-size 64
}
net ipsec manual-security-association sa-in {
    auth-algorithm aes-gcm128 encrypt-algorithm aes-gcm128 encrypt-key ${KEY.b}
    source-address ${GATEWAY.b} destination-address ${GATEWAY.a} spi ${SPIS.b} ipsec-policy pi replay-window-size 64
}
net tunnels tunnel t1 { local-address ${GATEWAY.a} remote-address ${GATEWAY.b} profile tp }
net self t4 { address ${INNER.a}/24 vlan t1 allow-service default }
net self t6 { address ${INNER6.a}/64 vlan t1 allow-service default }
net route far4 { network ${NETWORK[4].b} gw ${INNER.b} }
net route far6 { network ${NETWORK[6].b} interface t1 }
`;

/** An xfrm interface, its states and policies: all of both IP versions that is routed into it, and nothing else. */
const XFRM = [
  `ip link add ipsec0 type xfrm dev eth0 if_id ${IF_ID}`,
  `ip link set ipsec0 mtu ${INNER_MTU} up`,
  ...(['a', 'b'] as const).flatMap((from) => {
    const to = from === 'a' ? 'b' : 'a';
    const ends = `src ${GATEWAY[from]} dst ${GATEWAY[to]}`;
    const crypto = `aead 'rfc4106(gcm(aes))' ${KEY[from]} 128`;
    const state = `proto esp spi ${SPIS[from]} reqid 1 mode tunnel if_id ${IF_ID} replay-window 64 flag af-unspec`;
    const directions = from === 'b' ? ['out'] : ['in', 'fwd'];
    const policies = directions.flatMap((direction) =>
      ['0.0.0.0/0', '::/0'].map(
        (all) =>
          `ip xfrm policy add src ${all} dst ${all} dir ${direction} if_id ${IF_ID} ` +
          `tmpl ${ends} proto esp reqid 1 mode tunnel`,
      ),
    );
    return [`ip xfrm state add ${ends} ${state} ${crypto}`, ...policies];
  }),
];

it('an xfrm interface carries echoes, large packets and TCP of both IP versions, both ways', async () => {
  const site = await Namespace.create('site');
  const hostA = await Namespace.create('host-a');
  await connect([hostA, 'e0'], [site, 'e1']);
  await hostA.addAddress('e0', `${HOST.a}/24`, `${HOST6.a}/64`);
  for (const via of ['10.1.0.1', '2001:db8:a::1']) await hostA.ip('route', 'add', 'default', 'via', via, 'dev', 'e0');
  const guest = await Guest.start(site);
  await guest.addAddress('eth0', `${GATEWAY.b}/24`);
  await guest.addAddress('lo', `${HOST.b}/32`, `${HOST6.b}/128`);
  await guest.run(['sh', '-c', ['set -e', ...XFRM].join('\n')]);
  await guest.addAddress('ipsec0', `${INNER.b}/24`, `${INNER6.b}/64`);
  await guest.ip('route', 'add', NETWORK[4].a, 'dev', 'ipsec0', 'src', HOST.b);
  await guest.ip('route', 'add', NETWORK[6].a, 'dev', 'ipsec0', 'src', HOST6.b);
  const wideplane = await Wideplane.start(site, CONFIGURATION);
  const capture = await Capture.start(site, 'e0', `${makeDirectory('wire')}/wire.pcap`, { filter: 'ip or ip6' });

  const explain = async (error: unknown): Promise<never> => {
    throw new Error(`${String(error)}\n${await describeXfrm(guest)}\n${JSON.stringify(await dropsOf(wideplane))}`);
  };
  // The ends of the tunnel themselves, then what is routed through it.
  const ways: { from: Host; to: string; source?: string }[] = [
    { from: hostA, to: INNER.b },
    { from: hostA, to: INNER6.b },
    { from: guest, to: INNER.a, source: INNER.b },
    { from: guest, to: INNER6.a, source: INNER6.b },
    { from: hostA, to: HOST.b },
    { from: hostA, to: HOST6.b },
    { from: guest, to: HOST.a, source: HOST.b },
    { from: guest, to: HOST6.a, source: HOST6.b },
  ];
  for (const { from, to, source } of ways) {
    for (const size of [56, 1472, 20_000]) {
      // Hosts are told the MTU first.
      await reach(from, to, 5, { size, source }).catch(explain);
      const echo = { size, count: 3, source, waitSeconds: 10 };
      const { sent, received, text } = await ping(from, to, echo);
      assert.equal(received, sent, `${size} octets from ${from.name} to ${to}: ${text}`);
    }
  }
  const [tunnel] = await wideplane.show('net tunnels tunnel', 't1');
  assert.deepEqual([tunnel!.stats!.MTU, tunnel!.stats!.Status], [INNER_MTU, 'up']);
  // What fills a packet of ours is not cut, from either end.
  for (const { from, to, source } of ways.filter(({ to }) => to === HOST.a || to === HOST.b)) {
    const full = await ping(from, to, { size: INNER_MTU - 28, dontFragment: true, count: 3, source, waitSeconds: 10 });
    assert.equal(full.received, full.sent, full.text);
  }

  for (const address of [HOST.a, HOST6.a]) {
    const server = await Iperf3Server.start(hostA, address);
    for (const reverse of [false, true]) {
      // An emulated processor encrypts a megabyte in a second or two.
      const { bitsPerSecond } = await server.measure(guest, { octets: 2e6, reverse });
      assert.ok(bitsPerSecond > 1e5, `${address}: ${bitsPerSecond} bit/s`);
    }
    await server.stop();
  }

  const { states, errors } = await readXfrm(guest);
  for (const [spi, { packets, replayed, failed }] of states) {
    assert.deepEqual({ replayed, failed }, { replayed: 0, failed: 0 }, `SPI ${spi}`);
    assert.ok(packets > 100, `${packets} packets by SPI ${spi}`);
  }
  assert.deepEqual(errors, {});
  const refused = Object.keys(await dropsOf(wideplane)).filter((reason) => reason.startsWith('ipsec-'));
  assert.deepEqual(refused, []);
  await capture.stop();
  const clear = 'tcp || icmp || icmpv6.type == 128 || icmpv6.type == 129';
  assert.deepEqual(await readFields(capture.file, clear, ['frame.number']), []);
  assert.equal(await wideplane.stop(), 0, wideplane.log);
  await guest.stop();
});
