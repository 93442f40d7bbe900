// time-out: 300 s
// strongSwan's own ESP (kernel-libipsec) against ours. Two charons agree on keys; one of them is killed before it has sent a
// packet, and wideplane takes its place with manual associations of these keys. The other one notices nothing.
//
//   host-a ── e1 [ site-a: charon, then wideplane ] e0 ──── e0 [ site-b: charon ] e1 ── host-b
//   10.1.0.10       10.1.0.1              192.0.2.1        192.0.2.2       10.2.0.1   10.2.0.20
//
// Behind a masquerade site-b is 192.168.7.2, and 192.0.2.2 is the translator's.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Capture, readFields } from './harness/capture.ts';
import { dropsOf, GATEWAY, HOST, ipsec, type IpsecSetup, NETWORK, network } from './harness/ipsec-pair.ts';
import { connect, makeDirectory, Namespace } from './harness/namespace.ts';
import { Charon, type CharonOptions, type Keys } from './harness/strongswan.ts';
import { Iperf3Server, ping, reach } from './harness/traffic.ts';
import { waitFor } from './harness/wait.ts';
import { Wideplane } from './harness/wideplane.ts';

const ENCAPSULATION = 4500;
const TRANSLATED_PORT = 20001;
const ASSOCIATION = 'net ipsec manual-security-association';
const TRANSLATED = { gateway: '192.168.7.254', local: '192.168.7.2' };

/** Algorithms as strongSwan has them, and as we do. */
type Algorithms = { esp: string; auth: string; encrypt: string };

type Lab = {
  sites: { a: Namespace; b: Namespace };
  hosts: { a: Namespace; b: Namespace };
  wideplane: Wideplane;
  charon: Charon;
};

/** Joins the sites, by a masquerade where one is asked for: only then do keepalives of strongSwan come. */
async function joinSites(a: Namespace, b: Namespace, isTranslated: boolean): Promise<void> {
  if (!isTranslated) {
    await connect([a, 'e0'], [b, 'e0']);
    await b.addAddress('e0', `${GATEWAY.b}/24`);
    return;
  }
  const nat = await Namespace.create('nat');
  await connect([a, 'e0'], [nat, 'outside']);
  await connect([nat, 'inside'], [b, 'e0']);
  await nat.addAddress('outside', `${GATEWAY.b}/24`);
  await nat.addAddress('inside', `${TRANSLATED.gateway}/24`);
  await nat.sysctl({ 'net.ipv4.ip_forward': '1' });
  const rules = `oifname "outside" udp sport ${ENCAPSULATION} masquerade to :${TRANSLATED_PORT}; oifname "outside" masquerade;`;
  await nat.run(['nft', '-f', '-'], {
    input: `table ip nat { chain post { type nat hook postrouting priority 100; ${rules} }; }`,
  });
  await b.addAddress('e0', `${TRANSLATED.local}/24`);
  await b.ip('route', 'add', 'default', 'via', TRANSLATED.gateway);
}

/** Two charons that agree on associations, and then wideplane in the place of one. */
async function build(algorithms: Algorithms, isTranslated = false): Promise<Lab> {
  const sites = { a: await Namespace.create('site-a'), b: await Namespace.create('site-b') };
  const hosts = { a: await Namespace.create('host-a'), b: await Namespace.create('host-b') };
  await joinSites(sites.a, sites.b, isTranslated);
  await sites.a.addAddress('e0', `${GATEWAY.a}/24`);
  for (const side of ['a', 'b'] as const) {
    const net = side === 'a' ? '10.1.0' : '10.2.0';
    await connect([hosts[side], 'e0'], [sites[side], 'e1']);
    await hosts[side].addAddress('e0', `${HOST[side]}/24`);
    await hosts[side].ip('route', 'add', 'default', 'via', `${net}.1`, 'dev', 'e0');
    await sites[side].addAddress('e1', `${net}.1/24`);
  }
  await sites.b.sysctl({ 'net.ipv4.ip_forward': '1', 'net.ipv6.conf.all.disable_ipv6': '1' });

  const { esp } = algorithms;
  const a: CharonOptions = {
    ...{ local: GATEWAY.a, name: 'a', peer: 'b', ownNetwork: NETWORK[4].a, farNetwork: NETWORK[4].b, esp },
    ...(isTranslated ? {} : { remote: GATEWAY.b }),
  };
  const b: CharonOptions = {
    ...{ local: isTranslated ? TRANSLATED.local : GATEWAY.b, remote: GATEWAY.a, name: 'b', peer: 'a' },
    ...{ ownNetwork: NETWORK[4].b, farNetwork: NETWORK[4].a, esp },
  };
  const charon = await Charon.start(sites.b, b);
  const victim = await Charon.start(sites.a, a);
  // Who is behind a masquerade speaks first.
  const { own, far } = isTranslated ? await charon.initiate() : await victim.initiate();
  await victim.kill();
  for (const device of ['e0', 'e1']) await sites.a.ip('address', 'flush', 'dev', device);
  const setup = setupOf(algorithms, isTranslated ? { a: far, b: own } : { a: own, b: far });
  const keepalive = 'net ipsec ike-daemon ikedaemon { natt-keep-alive 1 }';
  const wideplane = await Wideplane.start(sites.a, `${network('a')}${ipsec('a', setup)}${keepalive}\n`);
  return { sites, hosts, wideplane, charon };
}

function setupOf({ auth, encrypt }: Algorithms, keys: { a: Keys; b: Keys }): IpsecSetup {
  const { a, b } = keys;
  const { authKey: authA, encryptKey } = a;
  return {
    ...{ auth, encrypt, encryptKeys: { a: encryptKey, b: b.encryptKey }, spis: { a: a.spi, b: b.spi } },
    ...(authA === undefined ? {} : { authKeys: { a: authA, b: b.authKey! } }),
    ...{ replayWindow: 64, udpPort: ENCAPSULATION },
  };
}

/** Echoes short and long, and TCP, from either host; nothing is dropped by either gateway. */
async function exchange({ hosts, wideplane, charon }: Lab): Promise<void> {
  // Behind a masquerade it is the far side that must begin.
  await reach(hosts.b, HOST.a);
  for (const [from, to] of [
    [hosts.a, HOST.b],
    [hosts.b, HOST.a],
  ] as const) {
    // All that padding may be, around what fits into one packet, and what comes in fragments.
    for (const size of [0, 1, 2, 3, 4, 56, 1330, 1472, 8000]) {
      await reach(from, to, 5, { size, forbidsNothing: true });
      const { sent, received, text } = await ping(from, to, { size, count: 3, forbidsNothing: true });
      assert.equal(received, sent, `${size} octets from ${from.name}: ${text}\n${charon.log}`);
    }
  }
  const server = await Iperf3Server.start(hosts.b, HOST.b);
  for (const reverse of [false, true]) {
    const { bitsPerSecond } = await server.measure(hosts.a, { octets: 2e6, reverse });
    assert.ok(bitsPerSecond > 1e6, `${bitsPerSecond} bit/s`);
  }
  await server.stop();
  assert.deepEqual(await refusalsOf(wideplane), {});
  assert.doesNotMatch(charon.log, COMPLAINT);
}

/** What our side does not take; segments that are too large for the path are reported to their sender, and come again. */
async function refusalsOf(wideplane: Wideplane): Promise<Record<string, number>> {
  const drops = Object.entries(await dropsOf(wideplane));
  return Object.fromEntries(drops.filter(([reason]) => reason.startsWith('ipsec-')));
}

/** What strongSwan says of packets that it does not take. */
const COMPLAINT = /\[ESP\].*(?:fail|invalid|replay|error|mismatch|no matching inbound)/i;

async function countsOf(wideplane: Wideplane): Promise<{ incoming: number; outgoing: number }> {
  const count = async (name: string, label: string): Promise<number> =>
    Number((await wideplane.show(ASSOCIATION, name))[0]?.stats?.[label] ?? 0);
  return { incoming: await count('sa-in', 'Incoming Frames'), outgoing: await count('sa-out', 'Outgoing Frames') };
}

const SAME: readonly Algorithms[] = [
  { esp: 'aes128gcm16', auth: 'aes-gcm128', encrypt: 'aes-gcm128' },
  { esp: 'aes256gcm16', auth: 'aes-gcm256', encrypt: 'aes-gcm256' },
  { esp: 'aes128-sha1', auth: 'sha1', encrypt: 'aes128' },
  { esp: 'aes128-sha256', auth: 'sha256', encrypt: 'aes128' },
  { esp: 'aes192-sha384', auth: 'sha384', encrypt: 'aes192' },
  { esp: 'aes256-sha512', auth: 'sha512', encrypt: 'aes256' },
];

describe('ESP in UDP with strongSwan', () => {
  for (const algorithms of SAME) {
    it(`${algorithms.esp}: echoes and TCP both ways`, async () => {
      const lab = await build(algorithms);
      const file = `${makeDirectory('wire')}/wire.pcap`;
      const capture = await Capture.start(lab.sites.b, 'e0', file, { filter: 'ip' });
      await exchange(lab);
      await capture.stop(100);
      // Nothing but ESP and keepalives, and both ends number from 1.
      assert.deepEqual(await readFields(file, 'icmp || tcp || (udp && !(udp.port == 4500))', ['frame.number']), []);
      for (const source of Object.values(GATEWAY)) {
        const [first] = await readFields(file, `esp && ip.src == ${source}`, ['esp.sequence']);
        assert.equal(first![0], '1', source);
      }
      assert.equal(await lab.wideplane.stop(), 0, lab.wideplane.log);
      await lab.charon.stop();
    });
  }

  it('aes128gcm16 behind a masquerade, with keepalives of both', async () => {
    const lab = await build(SAME[0]!, true);
    const { sites, wideplane } = lab;
    const file = `${makeDirectory('wire')}/wire.pcap`;
    const capture = await Capture.start(sites.a, 'e0', file, { filter: 'udp' });
    const keepalives = (direction: string): Promise<string[][]> =>
      readFields(file, `udp.length == 9 && ${direction}`, ['frame.number']);
    await exchange(lab);
    const before = await countsOf(wideplane);
    await waitFor('each sends keepalives', 8, async () => {
      const [ours, theirs] = [
        await keepalives(`udp.dstport == ${TRANSLATED_PORT}`),
        await keepalives(`udp.srcport == ${TRANSLATED_PORT}`),
      ];
      return ours.length >= 3 && theirs.length >= 3;
    });
    assert.deepEqual(await countsOf(wideplane), before, 'keepalives are no packets of associations');
    await exchange(lab);
    await capture.stop();
    assert.equal(await wideplane.stop(), 0, wideplane.log);
    await lab.charon.stop();
  });

  // What is left without the ICV is no whole number of blocks in the one case, and looks right in the other.
  const OTHERS: readonly (Algorithms & { name: string; reason: string })[] = [
    {
      name: 'an ICV of 160 bits where ours has 96',
      ...{ esp: 'aes128-sha1_160', auth: 'sha1', encrypt: 'aes128', reason: 'ipsec-too-short' },
    },
    {
      name: 'an ICV of 96 bits where ours has 128',
      ...{ esp: 'aes128gcm12', auth: 'aes-gcm128', encrypt: 'aes-gcm128', reason: 'ipsec-icv-invalid' },
    },
  ];
  for (const { name, reason, ...algorithms } of OTHERS) {
    it(`${algorithms.esp}, ${name}: what comes is dropped by either, and both say so`, async () => {
      const lab = await build(algorithms);
      const { hosts, wideplane, charon } = lab;
      assert.equal((await ping(hosts.b, HOST.a, { count: 3, waitSeconds: 1 })).received, 0);
      await waitFor(
        'drops are counted',
        3,
        async () => (await refusalsOf(wideplane))[reason] === 3,
        async () => JSON.stringify(await refusalsOf(wideplane)),
      );
      assert.deepEqual(await refusalsOf(wideplane), { [reason]: 3 });
      assert.doesNotMatch(charon.log, COMPLAINT);
      assert.equal((await ping(hosts.a, HOST.b, { count: 3, waitSeconds: 1 })).received, 0);
      assert.equal((await countsOf(wideplane)).outgoing, 3);
      await waitFor(
        'strongSwan complains',
        3,
        () => COMPLAINT.test(charon.log),
        () => charon.log,
      );
      await wideplane.stop();
      await charon.stop();
    });
  }
});
