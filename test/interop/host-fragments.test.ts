// Packets in fragments for sockets of this host and for self IPs, against Linux: in another order than they were sent in, and
// from a sender whose MTU is larger.
//
//   far: kernel ──── m0 [ middle: puts bursts into another order ] m1 ──── e0 [ site: wideplane, sockets on its self IPs ]
//   10.1.0.2, 2001:db8:1::2                                              10.1.0.1, 2001:db8:1::1
//
//   far: kernel VXLAN, MTU 1500 ──── e0, MTU 1400 [ site: wideplane, tunnels of MTU 1350, sockets on their self IPs ]
//   172.16.0.2, 2001:db8:16::2                   172.16.0.1, 2001:db8:16::1, also in route domain 5000

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { addKernelVxlan } from './harness/kernel-vxlan.ts';
import { connect, Namespace } from './harness/namespace.ts';
import { run } from './harness/program.ts';
import { ping, reach } from './harness/traffic.ts';
import { Wideplane } from './harness/wideplane.ts';

const SHUFFLE = fileURLToPath(new URL('../../../test/interop/harness/programs/shuffling-link.py', import.meta.url));

/** Answers each datagram with the same. */
const ECHO = `
import socket, sys
s = socket.socket(socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
s.bind((sys.argv[1], 53))
print('listening', flush=True)
while True:
    data, peer = s.recvfrom(65535)
    s.sendto(data, peer)
`;
/** Sends datagrams of the given sizes, which may be fragmented on their way, and says whether each came back as it was. */
const ASK = `
import os, socket, sys
address, sizes = sys.argv[1], sys.argv[2:]
is_ipv6 = ':' in address
s = socket.socket(socket.AF_INET6 if is_ipv6 else socket.AF_INET, socket.SOCK_DGRAM)
if not is_ipv6: s.setsockopt(socket.IPPROTO_IP, 10, 0)
s.settimeout(5)
for size in sizes:
    data = os.urandom(int(size))
    s.sendto(data, (address, 53))
    print(size, 'same' if s.recv(65535) == data else 'other')
`;

async function echo(from: Namespace, address: string, sizes: readonly number[]): Promise<void> {
  const answer = await from.run(['python3', '-c', ASK, address, ...sizes.map(String)], { seconds: 30 });
  assert.equal(answer, sizes.map((size) => `${size} same\n`).join(''));
}

async function allPings(from: Namespace, address: string, sizes: readonly number[]): Promise<void> {
  for (const size of sizes) {
    const { sent, received, text } = await ping(from, address, { size, count: 3, forbidsNothing: true });
    assert.equal(received, sent, `${size} octets to ${address}\n${text}`);
  }
}

describe('fragments of packets for this host', () => {
  const [SELF, FAR, SELF6, FAR6] = ['10.1.0.1', '10.1.0.2', '2001:db8:1::1', '2001:db8:1::2'];

  for (const order of ['reverse', 'random'] as const) {
    it(`reach sockets, and are answered, in ${order} order`, async () => {
      const [site, middle, far] = await Promise.all(['site', 'middle', 'far'].map((name) => Namespace.create(name)));
      await connect([far!, 'e0'], [middle!, 'm0']);
      await connect([middle!, 'm1'], [site!, 'e0']);
      await far!.addAddress('e0', `${FAR}/24`, `${FAR6}/64`);
      await middle!.start(['python3', SHUFFLE, 'm0', 'm1', order]).expect(/relaying/, 5);
      const wideplane = await Wideplane.start(
        site!,
        `
net interface 1.1 { device e0 }
net vlan inside { interfaces { 1.1 { untagged } } tag 4093 }
net self inside { address ${SELF}/24 vlan inside allow-service { udp:53 } }
net self inside6 { address ${SELF6}/64 vlan inside allow-service { udp:53 } }
`,
      );
      await reach(far!, SELF);
      for (const [self, other] of [
        [SELF, FAR],
        [SELF6, FAR6],
      ] as const) {
        await site!.start(['python3', '-c', ECHO, self]).expect(/listening/, 5);
        await echo(far!, self, [2000, 9000, 30_000, 30_000, 60_000]);
        // Answered by the data plane itself.
        await allPings(far!, self, [2000, 30_000, 60_000]);
        // By a socket of this host.
        await allPings(site!, other, [2000, 30_000, 60_000]);
      }
      const [vlan] = await wideplane.show('net vlan', 'inside');
      assert.deepEqual(vlan?.drops, {});
      assert.equal(await wideplane.stop(), 0, wideplane.log);
    });
  }
});

describe('packets that are larger than the device of this host', () => {
  const [SELF, FAR, SELF6, FAR6] = ['172.16.0.1', '172.16.0.2', '2001:db8:16::1', '2001:db8:16::2'];
  const SIZES = [1300, 1322, 1323, 1400, 1452, 1472, 3000, 9000, 30_000];

  it('reach its sockets, in both kinds of route domain', async () => {
    const [site, far, far5] = await Promise.all(['site', 'far', 'far5'].map((name) => Namespace.create(name)));
    await connect([site!, 'e0'], [far!, 'e0'], { mtu: 1400 });
    await far!.addAddress('e0', '10.9.1.2/24');
    await addKernelVxlan(far!, { vni: 100, local: '10.9.1.2', remote: '10.9.1.1', address: `${FAR}/24`, mtu: 1500 });
    await far!.addAddress('vx0', `${FAR6}/64`);
    await addKernelVxlan(far!, { device: 'vx5', vni: 500, local: '10.9.1.2', remote: '10.9.1.1', mtu: 1500 });
    await far!.ip('link', 'set', 'vx5', 'netns', far5!.name);
    await far5!.ip('link', 'set', 'vx5', 'up');
    await far5!.addAddress('vx5', `${FAR}/24`, `${FAR6}/64`);
    const wideplane = await Wideplane.start(
      site!,
      `
net interface 1.1 { device e0 }
net vlan wan { interfaces { 1.1 { untagged } } tag 4094 mtu 1400 }
net self wan-self { address 10.9.1.1/24 vlan wan }
net tunnels tunnel vx1 { local-address 10.9.1.1 remote-address 10.9.1.2 key 100 profile vxlan }
net tunnels tunnel vx5 { local-address 10.9.1.1 remote-address 10.9.1.2 key 500 profile vxlan }
net route-domain rd5000 { id 5000 vlans { vx5 } }
net self tunnel { address ${SELF}/24 vlan vx1 allow-service { udp:53 } }
net self tunnel6 { address ${SELF6}/64 vlan vx1 allow-service { udp:53 } }
net self tunnel5 { address ${SELF}%5000/24 vlan vx5 allow-service { udp:53 } }
net self tunnel56 { address ${SELF6}%5000/64 vlan vx5 allow-service { udp:53 } }
`,
    );
    await reach(far!, SELF);
    await reach(far5!, SELF);
    assert.match(await site!.ip('link', 'show', 'dev', 'wp-vx1'), / mtu 1350 /);
    const within = (...argv: string[]): string[] => [
      ...['nsenter', '--target', String(wideplane.pid), '--mount', 'ip', 'netns', 'exec', 'wideplane-rd5000'],
      ...argv,
    ];
    for (const [self, other] of [
      [SELF, FAR],
      [SELF6, FAR6],
    ] as const) {
      await site!.start(['python3', '-c', ECHO, self]).expect(/listening/, 5);
      await site!.start(within('python3', '-c', ECHO, self)).expect(/listening/, 5);
      await echo(far!, self, SIZES);
      await echo(far5!, self, SIZES);
      await allPings(site!, other, SIZES);
      for (const size of SIZES) {
        const text = await run(
          within('ping', '-n', '-c', '3', '-i', '0.1', '-W', '3', '-M', 'dont', '-s', String(size), other),
        );
        assert.match(text, / 3 received/, `${size} octets`);
      }
    }
    for (const name of ['vx1', 'vx5']) {
      const [tunnel] = await wideplane.show('net tunnels tunnel', name);
      assert.deepEqual(tunnel?.drops, {}, name);
    }
    assert.equal(await wideplane.stop(), 0, wideplane.log);
  });
});
