// UDP encapsulation (RFC 3948) with one side behind a real masquerade.
//
//   host-a ── [ site-a ] e0 ── inside [ nat ] outside ── e0 [ site-b ] ── host-b
//   10.1.0.10   192.168.7.1   192.168.7.254   192.0.2.254   192.0.2.2    10.2.0.20

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Capture, readFields, readFrames } from './harness/capture.ts';
import { dropsOf, HOST, SPIS } from './harness/ipsec-pair.ts';
import { connect, makeDirectory, Namespace } from './harness/namespace.ts';
import { sendRaw } from './harness/packets.ts';
import { ping, reach } from './harness/traffic.ts';
import { delay, waitFor } from './harness/wait.ts';
import { Wideplane } from './harness/wideplane.ts';

const INSIDE = '192.168.7.1';
const OUTSIDE = '192.0.2.254';
const PEER = '192.0.2.2';
const ENCAPSULATION = 4500;
const UDP_AT = 14 + 20;
const ASSOCIATION = 'net ipsec manual-security-association';

/** `local` is the side's own address, `remote` what it knows the other by. */
function configuration(side: 'a' | 'b', local: string, remote: string): string {
  const [own, far] = side === 'a' ? ['10.1', '10.2'] : ['10.2', '10.1'];
  const ipsec = (['out', 'in'] as const).map((way) => {
    const isOut = way === 'out';
    const [from, to] = isOut ? [local, remote] : [remote, local];
    const sender = isOut === (side === 'a') ? 'a' : 'b';
    const [source, destination] = isOut ? [own, far] : [far, own];
    return `
net ipsec ipsec-policy p-${way} { mode tunnel tunnel-local-address ${from} tunnel-remote-address ${to} }
net ipsec manual-security-association sa-${way} {
    auth-algorithm aes-gcm128 encrypt-algorithm aes-gcm128 encrypt-key 0x${(sender === 'a' ? 'a1' : 'b1').repeat(20)}
    source-address ${from} destination-address ${to} spi ${SPIS[sender]} ipsec-policy p-${way}
    replay-window-size 128 udp-encapsulation ${ENCAPSULATION}
}
net ipsec traffic-selector ts-${way} {
    source-address ${source}.0.0/16 destination-address ${destination}.0.0/16 direction ${way} ipsec-policy p-${way} order 10
}`;
  });
  const gateway = side === 'a' ? '192.168.7.254' : OUTSIDE;
  return `
net interface 1.1 { device e0 }
net interface 1.2 { device e1 }
net vlan wan { interfaces { 1.1 { untagged } } tag 4094 }
net vlan inside { interfaces { 1.2 { untagged } } tag 10 }
net self wan4 { address ${local}/24 vlan wan allow-service none }
net self inside4 { address ${own}.0.1/24 vlan inside allow-service none }
net route default { network default gw ${gateway} }
${ipsec.join('')}
`;
}

it('one side behind a masquerade: the other follows its port, once a packet is authentic', async () => {
  const sites = { a: await Namespace.create('site-a'), b: await Namespace.create('site-b') };
  const hosts = { a: await Namespace.create('host-a'), b: await Namespace.create('host-b') };
  const nat = await Namespace.create('nat');
  await connect([sites.a, 'e0'], [nat, 'inside']);
  await connect([nat, 'outside'], [sites.b, 'e0']);
  await nat.addAddress('inside', '192.168.7.254/24');
  await nat.addAddress('outside', `${OUTSIDE}/24`);
  await nat.sysctl({ 'net.ipv4.ip_forward': '1' });
  const masquerade = async (ports: string): Promise<void> => {
    const rule = `oifname "outside" udp sport ${ENCAPSULATION} masquerade to :${ports}`;
    const table = `table ip nat { chain post { type nat hook postrouting priority 100; ${rule}; }; }`;
    await nat.attempt(['nft', 'delete', 'table', 'ip', 'nat']);
    await nat.run(['nft', '-f', '-'], { input: table });
    // The kernel forgets what it masqueraded on a device that goes down.
    await nat.ip('link', 'set', 'outside', 'down');
    await nat.ip('link', 'set', 'outside', 'up');
  };
  await masquerade('20001');
  for (const side of ['a', 'b'] as const) {
    await connect([hosts[side], 'e0'], [sites[side], 'e1']);
    const net = side === 'a' ? '10.1.0' : '10.2.0';
    await hosts[side].addAddress('e0', `${HOST[side]}/24`);
    await hosts[side].ip('route', 'add', 'default', 'via', `${net}.1`, 'dev', 'e0');
  }
  const a = await Wideplane.start(sites.a, configuration('a', INSIDE, PEER));
  const b = await Wideplane.start(sites.b, configuration('b', PEER, OUTSIDE));
  const file = `${makeDirectory('capture')}/outside.pcap`;
  const capture = await Capture.start(sites.b, 'e0', file, { filter: 'udp' });

  await reach(hosts.a, HOST.b);
  for (const size of [56, 1472, 8000]) {
    const { sent, received, text } = await ping(hosts.a, HOST.b, { size, count: 3, forbidsNothing: true });
    assert.equal(received, sent, `${size}: ${text}`);
    const back = await ping(hosts.b, HOST.a, { size, count: 3, forbidsNothing: true });
    assert.equal(back.received, back.sent, `${size}: ${back.text}`);
  }
  const portsTo = async (address: string, field: string): Promise<string[]> => {
    const rows = await readFields(file, `ip.dst == ${address} && udp`, [field]);
    return [...new Set(rows.flat())];
  };
  assert.deepEqual(await portsTo(PEER, 'udp.srcport'), ['20001']);
  assert.deepEqual(await portsTo(OUTSIDE, 'udp.dstport'), ['20001']);

  // A stranger's datagram from another port is not followed: its ICV is wrong.
  const taken = readFrames(file).findLast((frame) => frame.subarray(30, 34).join('.') === PEER)!;
  const forged = Buffer.from(taken);
  forged.writeUInt16BE(30_303, UDP_AT);
  forged.writeUInt16BE(0, UDP_AT + 6);
  forged.writeUInt32BE(forged.readUInt32BE(UDP_AT + 8 + 4) + 50, UDP_AT + 8 + 4);
  await sendRaw(nat, 'outside', [forged, forged]);
  await waitFor('the forgery is noticed', 3, async () => (await dropsOf(b))['ipsec-icv-invalid'] === 2);
  // Nor is a copy of an authentic one.
  const replayed = Buffer.from(taken);
  replayed.writeUInt16BE(30_304, UDP_AT);
  replayed.writeUInt16BE(0, UDP_AT + 6);
  await sendRaw(nat, 'outside', [replayed]);
  await waitFor('the copy is noticed', 3, async () => (await dropsOf(b))['ipsec-replayed'] === 1);
  const still = await ping(hosts.b, HOST.a, { count: 3 });
  assert.equal(still.received, still.sent, still.text);
  assert.deepEqual(await portsTo(OUTSIDE, 'udp.dstport'), ['20001']);

  // The translator forgets, and maps to another port from now on.
  await masquerade('20002');
  await delay(100);
  await reach(hosts.a, HOST.b);
  const moved = await ping(hosts.b, HOST.a, { count: 3 });
  assert.equal(moved.received, moved.sent, moved.text);
  assert.deepEqual(await portsTo(PEER, 'udp.srcport'), ['20001', '30303', '30304', '20002']);
  assert.deepEqual(await portsTo(OUTSIDE, 'udp.dstport'), ['20001', '20002']);
  assert.deepEqual((await b.show(ASSOCIATION, 'sa-in'))[0]!.drops, { 'ipsec-icv-invalid': 2, 'ipsec-replayed': 1 });
  await capture.stop();
  for (const wideplane of [a, b]) assert.equal(await wideplane.stop(), 0, wideplane.log);
});
