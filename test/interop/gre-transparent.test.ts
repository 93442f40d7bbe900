// A transparent tunnel: GRE between two others, through wideplane. The ends are raw sockets of Linux.
//
//   end-a ──── e1 [ site: wideplane ] e2 ──── end-b
//   10.1.0.10     10.1.0.1   10.2.0.1      10.2.0.20

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { connect, Namespace } from './harness/namespace.ts';
import { reach } from './harness/traffic.ts';
import { Wideplane } from './harness/wideplane.ts';

const [A, B, A6, B6] = ['10.1.0.10', '10.2.0.20', '2001:db8:a::10', '2001:db8:b::20'];

/** Prints source, TTL and payload of the GRE packets that come; of IPv6 no TTL. */
const RECEIVE = `
import socket, sys
is_ipv6 = ':' in sys.argv[1]
s = socket.socket(socket.AF_INET6 if is_ipv6 else socket.AF_INET, socket.SOCK_RAW, 47)
s.bind((sys.argv[1], 0))
print('listening', flush=True)
while True:
    data, peer = s.recvfrom(65535)
    print(peer[0], '-' if is_ipv6 else data[8], (data if is_ipv6 else data[20:]).hex(), flush=True)
`;
const SEND = `
import socket, sys
source, destination, *packets = sys.argv[1:]
s = socket.socket(socket.AF_INET6 if ':' in source else socket.AF_INET, socket.SOCK_RAW, 47)
s.bind((source, 0))
for packet in packets: s.sendto(bytes.fromhex(packet), (destination, 0))
`;

/** Behind a header without options, with a key, and with key, sequence number and checksum: an IPv4 header and some payload. */
const INNER = `450000280000400040010000ac100001ac100002${'a5'.repeat(20)}`;
const LARGE = `45000bb80000400040010000ac100001ac100002${'5a'.repeat(2980)}`;
const PACKETS = [
  `00000800${INNER}`,
  `2000080000000007${INNER}`,
  `b0000800123400000000000700000001${INNER}`,
  `00000800${LARGE}`,
];

it('packets of GRE tunnels between others pass a transparent tunnel, both ways, over both IP versions', async () => {
  const [site, a, b] = await Promise.all(['site', 'end-a', 'end-b'].map((name) => Namespace.create(name)));
  await connect([a!, 'e0'], [site!, 'e1']);
  await connect([b!, 'e0'], [site!, 'e2']);
  await a!.addAddress('e0', `${A}/24`, `${A6}/64`);
  await b!.addAddress('e0', `${B}/24`, `${B6}/64`);
  for (const [end, ...gateways] of [
    [a!, '10.1.0.1', '2001:db8:a::1'],
    [b!, '10.2.0.1', '2001:db8:b::1'],
  ] as const) {
    for (const gateway of gateways) await end.ip('route', 'add', 'default', 'via', gateway, 'dev', 'e0');
  }
  const wideplane = await Wideplane.start(
    site!,
    `
net interface 1.1 { device e1 }
net interface 1.2 { device e2 }
net vlan a { interfaces { 1.1 { untagged } } tag 10 }
net vlan b { interfaces { 1.2 { untagged } } tag 20 }
net self a4 { address 10.1.0.1/24 vlan a }
net self b4 { address 10.2.0.1/24 vlan b }
net self a6 { address 2001:db8:a::1/64 vlan a }
net self b6 { address 2001:db8:b::1/64 vlan b }
net tunnels tunnel through { local-address 0.0.0.0 profile gre remote-address any transparent enabled }
net tunnels tunnel through6 { local-address any6 profile gre remote-address any6 transparent enabled }
`,
  );
  await reach(a!, B);
  await reach(a!, B6);
  for (const [from, source, to, destination] of [
    [a!, A, b!, B],
    [b!, B, a!, A],
    [a!, A6, b!, B6],
    [b!, B6, a!, A6],
  ] as const) {
    const receiver = to.start(['python3', '-u', '-c', RECEIVE, destination]);
    await receiver.expect(/^listening$/m, 5);
    await from.run(['python3', '-c', SEND, source, destination, ...PACKETS]);
    const ttl = source.includes(':') ? '-' : '63';
    for (const packet of PACKETS) await receiver.expect(new RegExp(`^${source} ${ttl} ${packet}$`, 'm'), 5);
    await receiver.stop('SIGKILL');
  }
  const rows = await wideplane.show('net tunnels tunnel', 'through');
  assert.equal(rows[0]?.stats?.Status, 'up');
  const refused = await wideplane.tmsh('modify net tunnels tunnel through remote-address 10.2.0.20').catch(String);
  assert.match(refused, /a transparent tunnel has no remote-address, but it is 10\.2\.0\.20/);
  assert.equal(await wideplane.stop(), 0, wideplane.log);
});
