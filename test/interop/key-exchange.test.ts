// A daemon of key exchange in a process of its own: what comes behind UDP 4500 goes to it and its answers leave; it may be slow, and it
// may die.
//
//   [ peer ] 192.0.2.2 ── e0 ── e0 ── 192.0.2.1 [ site: wideplane, daemon ]

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { connect, Namespace } from './harness/namespace.ts';
import type { Program } from './harness/program.ts';
import { ping, reach } from './harness/traffic.ts';
import { waitFor } from './harness/wait.ts';
import { Wideplane } from './harness/wideplane.ts';

const SITE = '192.0.2.1';
const PEER = '192.0.2.2';
const DAEMON = fileURLToPath(new URL('./harness/programs/key-exchange-daemon.js', import.meta.url));
const CONFIGURATION = `
net interface 1.1 { device e0 }
net vlan wan { interfaces { 1.1 { untagged } } tag 4094 }
net self wan4 { address ${SITE}/24 vlan wan allow-service none }
net ipsec ipsec-policy p-in { mode tunnel tunnel-local-address ${PEER} tunnel-remote-address ${SITE} }
net ipsec manual-security-association sa-in {
    auth-algorithm aes-gcm128 encrypt-algorithm aes-gcm128 encrypt-key 0x${'b1'.repeat(20)}
    source-address ${PEER} destination-address ${SITE} spi 4097 ipsec-policy p-in udp-encapsulation 4500
}
`;
/** Sends datagrams from port 4500 to port 4500, each with a marker in front, and prints what comes back. */
const SEND = `
import socket, sys
count, octets, replies = (int(word) for word in sys.argv[1:4])
plug = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
plug.bind(('${PEER}', 4500))
plug.settimeout(0.2)
for number in range(count):
    plug.sendto(bytes(4) + (b'message %d ' % number).ljust(octets, b'.'), ('${SITE}', 4500))
tries = 0
while replies > 0 and tries < 60:
    try:
        print(plug.recvfrom(65535))
        replies -= 1
    except TimeoutError:
        tries += 1
`;

it('a daemon gets key exchange and answers; slow or dead, it holds nobody up', async () => {
  const site = await Namespace.create('site');
  const peer = await Namespace.create('peer');
  await connect([site, 'e0'], [peer, 'e0']);
  await peer.addAddress('e0', `${PEER}/24`);
  const wideplane = await Wideplane.start(site, CONFIGURATION);
  await reach(peer, SITE);
  const send = (count: number, octets = 40, replies = 0): Promise<string> =>
    peer.run(['python3', '-c', SEND, ...[count, octets, replies].map(String)]);
  const drops = async (reason: string): Promise<number> =>
    (await wideplane.show('net vlan')).reduce((sum, row) => sum + (row.drops?.[reason] ?? 0), 0);
  const start = async (): Promise<Program> => {
    const daemon = site.start([process.execPath, DAEMON, `${wideplane.state}/dataplaned.sock`]);
    await daemon.expect(/^registered$/m, 5);
    return daemon;
  };

  await send(3);
  await waitFor('nobody wants it', 3, async () => (await drops('ipsec-not-esp')) === 3);

  const first = await start();
  const replies = await send(3, 40, 3);
  for (const number of [0, 1, 2]) {
    assert.match(replies, new RegExp(`b'\\\\x00\\\\x00\\\\x00\\\\x00reply: message ${number} `), replies);
  }
  for (const told of [
    /"local":"192\.0\.2\.1","localPort":4500,"remote":"192\.0\.2\.2","remotePort":4500/,
    /"from":"\/Common\/wan"/,
  ]) {
    await first.expect(told, 2);
  }
  // Larger than a frame, both ways.
  assert.match(await send(1, 5000, 1), /reply: message 0 \.{4900}/);

  // It does not read: its socket fills, then the queue, and then messages are dropped, and nothing else.
  first.signal('SIGSTOP');
  await waitFor('the queue is full', 10, async () => {
    await send(500, 1400);
    return (await drops('ipsec-key-exchange-full')) > 100;
  });
  const meanwhile = await ping(peer, SITE, { count: 5 });
  assert.equal(meanwhile.received, meanwhile.sent, meanwhile.text);
  assert.equal(await drops('ipsec-not-esp'), 3);

  first.signal('SIGKILL');
  await waitFor('it is forgotten', 5, async () => {
    await send(1);
    return (await drops('ipsec-not-esp')) > 3;
  });
  const second = await start();
  assert.match(await send(1, 40, 1), /reply: message 0/);
  await second.stop();
  assert.equal(await wideplane.stop(), 0, wideplane.log);
});
