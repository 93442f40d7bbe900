// alone
// time-out: 1800 s
// IPsec with manual keys against the kernel of a Debian guest, all in one boot and with one process of ours that is reconfigured
// from one combination to the next. WIDEPLANE_LONG=1: every algorithm with every mode, protocol and IP version.
//
//   host-a ──── e1 [ site: wideplane ] e0 ════ eth0 [ guest: xfrm, lo ]
//   10.1.0.10       10.1.0.1   192.0.2.1       192.0.2.2   10.2.0.20
//   2001:db8:a::10             2001:db8:f::1   2001:db8:f::2   2001:db8:b::20

import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { TmshClient } from '../../src/cli/tmsh-client.ts';
import { Capture, readFields, readFrames } from './harness/capture.ts';
import { Guest } from './harness/guest.ts';
import type { Host } from './harness/host.ts';
import {
  dropsSince,
  gateway,
  HOST,
  HOST6,
  ipsec,
  type IpsecSetup,
  NETWORK,
  network,
  type Side,
} from './harness/ipsec-pair.ts';
import { connect, makeDirectory, Namespace } from './harness/namespace.ts';
import { sendRaw } from './harness/packets.ts';
import { pairwise } from './harness/pairwise.ts';
import type { Program } from './harness/program.ts';
import { ping, reach } from './harness/traffic.ts';
import { delay, waitFor } from './harness/wait.ts';
import { Wideplane } from './harness/wideplane.ts';
import { describeXfrm, openEncapsulation, readXfrm, setXfrm } from './harness/xfrm.ts';

type Case = {
  cipher: string;
  mac: string;
  protocol: 'esp' | 'ah' | 'ipcomp and esp';
  mode: 'tunnel' | 'transport';
  outer: 4 | 6;
  inner: 4 | 6;
  sequence: 'unchecked' | 'window 64' | 'extended, window 256';
  udp: 'no' | '4500';
};

const COMBINED = ['aes-gcm', 'aes-gmac'].flatMap((name) => [128, 192, 256].map((bits) => `${name}${bits}`));
const MACS = ['sha1', 'sha256', 'sha384', 'sha512'];
/** Octets of keys, the salt included. */
const KEY_OCTETS: Readonly<Record<string, number>> = {
  ...{ null: 0, '3des': 24, aes128: 16, aes192: 24, aes256: 32, sha1: 20, sha256: 32, sha384: 48, sha512: 64 },
  ...Object.fromEntries(COMBINED.map((name) => [name, Number(name.slice(-3)) / 8 + 4])),
};

/** Everything that both ends can do. */
const EVERYTHING: readonly Case[] = [
  ...['null', '3des', 'aes128', 'aes192', 'aes256'].flatMap((cipher) => MACS.map((mac) => ({ cipher, mac }))),
  ...COMBINED.map((cipher) => ({ cipher, mac: 'none' })),
].flatMap((algorithms) =>
  (['esp', 'ah', 'ipcomp and esp'] as const)
    // Linux has no AES-GMAC for AH.
    .filter((protocol) => protocol !== 'ah' || (algorithms.cipher === 'null' && algorithms.mac !== 'none'))
    .flatMap((protocol) => placesOf(protocol).map((place) => ({ ...algorithms, protocol, ...place }))),
);

function placesOf(protocol: Case['protocol']): Pick<Case, 'mode' | 'outer' | 'inner' | 'sequence' | 'udp'>[] {
  const modes = (['tunnel', 'transport'] as const).flatMap((mode) =>
    ([4, 6] as const).flatMap((outer) =>
      ([4, 6] as const)
        // Linux has no IPComp around packets of the other IP version.
        .filter((inner) => inner === outer || (mode === 'tunnel' && protocol !== 'ipcomp and esp'))
        .map((inner) => ({ mode, outer, inner })),
    ),
  );
  return modes.flatMap((place) =>
    (['unchecked', 'window 64', 'extended, window 256'] as const).flatMap((sequence) =>
      (protocol === 'ah' ? (['no'] as const) : (['no', '4500'] as const)).map((udp) => ({ ...place, sequence, udp })),
    ),
  );
}

/** Each combination of all but sequence numbers and UDP, which vary from one to the next. */
function everyPlace(all: readonly Case[]): Case[] {
  const groups = new Map<string, Case[]>();
  for (const one of all) {
    const key = [one.cipher, one.mac, one.protocol, one.mode, one.outer, one.inner].join(' ');
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  return [...groups.values()].map((group, index) => group[index % group.length]!);
}

// What is always tested comes first in the long form as well: docs/features.yaml names some of it.
const ALWAYS = pairwise(EVERYTHING);
const KILLS = process.env.WIDEPLANE_LONG === '1' ? 100 : 5;
const CASES = process.env.WIDEPLANE_LONG === '1' ? [...new Set([...ALWAYS, ...everyPlace(EVERYTHING)])] : ALWAYS;

/** Another key for everybody who asks: no two associations have one in common. */
let keys = 0;
function makeKey(octets: number): string {
  keys += 1;
  return `0x${Array.from({ length: octets }, (_, index) => ((index * 29 + keys * 7 + (index % 3) * keys) & 0xff).toString(16).padStart(2, '0')).join('')}`;
}

function setupOf({ cipher, mac, protocol, mode, outer, inner, sequence, udp }: Case, index: number): IpsecSetup {
  const isCombined = mac === 'none';
  const octets = KEY_OCTETS[cipher]!;
  return {
    protocol: protocol === 'ah' ? 'ah' : 'esp',
    mode,
    outer,
    inner,
    auth: isCombined ? cipher : mac,
    encrypt: cipher,
    ...(isCombined ? {} : { authKey: makeKey(KEY_OCTETS[mac]!) }),
    ...(octets === 0 ? {} : { encryptKeys: { a: makeKey(octets), b: makeKey(octets) } }),
    ...(protocol === 'ipcomp and esp' ? { compress: true } : {}),
    ...(sequence === 'unchecked' ? {} : { replayWindow: sequence === 'window 64' ? 64 : 256 }),
    ...(sequence === 'extended, window 256' ? { extended: true } : {}),
    ...(udp === 'no' ? {} : { udpPort: Number(udp) }),
    spis: { a: 0x10_000 + 2 * index, b: 0x10_001 + 2 * index },
  };
}

let site: Namespace;
let hostA: Namespace;
let guest: Guest;
let wideplane: Wideplane;
let tmsh: TmshClient;
let wire: Capture;
let dropped: { program: Program; file: string };

before(async () => {
  site = await Namespace.create('site');
  hostA = await Namespace.create('host-a');
  await connect([hostA, 'e0'], [site, 'e1']);
  await hostA.addAddress('e0', `${HOST.a}/24`, `${HOST6.a}/64`);
  for (const via of ['10.1.0.1', '2001:db8:a::1']) await hostA.ip('route', 'add', 'default', 'via', via, 'dev', 'e0');
  guest = await Guest.start(site);
  await guest.addAddress('eth0', `${gateway('b', 4)}/24`, `${gateway('b', 6)}/64`);
  await guest.addAddress('lo', `${HOST.b}/32`, `${HOST6.b}/128`);
  // What it says of fragments that did not all come, it would say half a minute later, while the next combination is set up.
  const quiet = { 'net.ipv4.icmp_msgs_per_sec': '0', 'net.ipv4.icmp_msgs_burst': '0' };
  await guest.sysctl({ ...quiet, 'net.ipv4.icmp_ratemask': String(1 << 11) });
  await guest.ip('route', 'add', NETWORK[4].a, 'via', gateway('a', 4), 'src', HOST.b);
  await guest.ip('route', 'add', NETWORK[6].a, 'via', gateway('a', 6), 'src', HOST6.b);
  // In mode transport the kernel asks protection of neighbour discovery as well, and takes no answer that has none.
  const [link] = JSON.parse(await site.ip('-j', 'link', 'show', 'e0')) as [{ address: string }];
  for (const version of [4, 6] as const) {
    await guest.ip(
      'neighbour',
      'replace',
      gateway('a', version),
      'lladdr',
      link.address,
      'dev',
      'eth0',
      'nud',
      'permanent',
    );
  }
  await openEncapsulation(guest, 4500);
  wideplane = await Wideplane.start(site, network('a'));
  tmsh = new TmshClient(wideplane.state, 'stdin');
  wire = await Capture.start(site, 'e0', `${makeDirectory('wire')}/wire.pcap`, { filter: 'ip or ip6' });
  const file = `${makeDirectory('dropped')}/dropped.pcapng`;
  dropped = { program: site.start(wideplane.command('tcpdump', '--dropped', '-w', file)), file };
  await dropped.program.expect(/listening on/, 5);
});

after(async () => {
  tmsh.close();
  await wideplane.stop();
  await guest.stop();
});

/** Makes a text all that our side is told; resolves when its data plane runs it, so that what the kernel sends is expected. */
async function load(text: string): Promise<void> {
  for await (const part of tmsh.run('load sys config from-terminal', network('a') + text)) {
    assert.doesNotMatch(part, /^Warning/m);
  }
  for await (const part of tmsh.run('show sys config status wait')) assert.doesNotMatch(part, /failed/);
}

// After a first reply ping waits for the last one no longer than an interval or two round trips, and an emulated guest takes
// breaks: those sent at once are waited for a second, a single one for ten.
const ECHOES = [
  { size: 56, count: 3 },
  { size: 60_000, count: 1, waitSeconds: 10 },
];

/** Echoes, short and long, both ways: from the host or, in mode transport, from our own address by the host path. */
async function exchange({ mode, outer = 4, inner = 4 }: IpsecSetup): Promise<void> {
  const isTransport = mode === 'transport';
  const hosts = inner === 4 ? { ours: HOST.a, theirs: HOST.b } : { ours: HOST6.a, theirs: HOST6.b };
  const { ours, theirs } = isTransport ? { ours: gateway('a', outer), theirs: gateway('b', outer) } : hosts;
  const ways: { host: Host; to: string; source: string | undefined }[] = [
    { host: isTransport ? site : hostA, to: theirs, source: isTransport ? ours : undefined },
    { host: guest, to: ours, source: theirs },
  ];
  const first = await readXfrm(guest);
  // Large packets may have to learn first how large they may be.
  for (const { host, to, source } of ways) {
    await reach(host, to, 5, { size: 60_000, source, waitSeconds: 1 }).catch(async (error: unknown) => {
      throw new Error(`${String(error)}\n${JSON.stringify(first.errors)}\n${await describeXfrm(guest)}`);
    });
  }
  const before = await readXfrm(guest);
  for (const { host, to, source } of ways) {
    for (const echo of ECHOES) {
      const { sent, received, text } = await ping(host, to, { ...echo, source });
      assert.equal(received, sent, `${echo.size} octets from ${host.name}\n${text}`);
    }
  }
  const after = await readXfrm(guest);
  assert.deepEqual(after.errors, before.errors);
  for (const [spi, { packets, replayed, failed }] of after.states) {
    assert.deepEqual({ replayed, failed }, { replayed: 0, failed: 0 });
    assert.ok(packets - before.states.get(spi)!.packets > 5, `${packets} packets by SPI ${spi}`);
  }
}

const nameOf = ({ cipher, mac, protocol, mode, outer, inner, sequence, udp }: Case): string =>
  `${protocol}, ${mode}, IPv${inner} in IPv${outer}, ${cipher}${mac === 'none' ? '' : ` ${mac}`}, ${sequence}` +
  (udp === 'no' ? '' : `, UDP ${udp}`);

describe('IPsec with the kernel of a guest', () => {
  const setups = CASES.map((one, index) => ({ name: nameOf(one), setup: setupOf(one, index) }));
  for (const { name, setup } of setups) {
    it(name, async () => {
      await load(ipsec('a', setup));
      await setXfrm(guest, 'b', setup);
      await exchange(setup);
    });
  }

  it('carried every combination in its own associations, none in the clear, and dropped nothing', async () => {
    await wire.stop();
    await dropped.program.stop('SIGINT');
    const spis = await readFields(wire.file, 'esp || ah', ['esp.spi', 'ah.spi']);
    const seen = new Map<number, number>();
    for (const found of spis) {
      const spi = Number(found.find((text) => text !== ''));
      seen.set(spi, (seen.get(spi) ?? 0) + 1);
    }
    // How many there were the kernel has counted each time; of a large one that is cut the capture has to have every piece.
    for (const { name, setup } of setups) {
      for (const spi of Object.values(setup.spis!)) assert.ok(seen.has(spi), `${name}: nothing by SPI ${spi}`);
    }
    // What is authenticated only can be read on the way, but not without AH in front of it. Errors quote echoes, half a minute
    // later where fragments are missing, when another combination may leave them alone.
    const errors = '(icmp.type in {3, 11} || icmpv6.type in {1, 2, 3})';
    const echoes = `(icmp.type in {0, 8} || icmpv6.type in {128, 129}) && !ah && !${errors}`;
    const said = [
      'frame.time_relative',
      'ip.src',
      'ip.dst',
      'ipv6.src',
      'ipv6.dst',
      '_ws.col.Protocol',
      '_ws.col.Info',
    ];
    assert.deepEqual(await readFields(wire.file, echoes, said), []);
    const reasons = await readFields(dropped.file, 'frame.comment contains "ipsec"', ['frame.comment']);
    assert.deepEqual(reasons, []);
  });
});

/** How many packets our side drops for each reason of IPsec while something is going on. */
async function dropsDuring(action: () => Promise<unknown>): Promise<Record<string, number>> {
  const file = `${makeDirectory('dropped')}/dropped.pcapng`;
  const program = site.start(wideplane.command('tcpdump', '--dropped', '-w', file));
  await program.expect(/listening on/, 5);
  await action();
  await program.stop('SIGINT');
  const counts: Record<string, number> = {};
  for (const [comment = ''] of await readFields(file, 'frame.comment contains "ipsec"', ['frame.comment'])) {
    const reason = /ipsec-[a-z-]+/.exec(comment)![0];
    counts[reason] = (counts[reason] ?? 0) + 1;
  }
  return counts;
}

describe('what goes wrong between the kernel of a guest and us', () => {
  let right: IpsecSetup;
  let spi: Record<Side, number>;
  let serial = 0;
  const knock = (from: Host = guest): Promise<unknown> => {
    const [to, source] = from === guest ? [HOST.a, HOST.b] : [HOST.b, HOST.a];
    return ping(from, to, { count: 3, intervalSeconds: 0.1, source, waitSeconds: 1 });
  };

  /** Associations of their own for each test: numbers begin with 1 again, and a window remembers nothing. */
  async function set(change: { ours?: Partial<IpsecSetup>; theirs?: Partial<IpsecSetup> } = {}): Promise<void> {
    serial += 1;
    spi = { a: 0x20_000 + 16 * serial, b: 0x30_000 + 16 * serial };
    const keys = { authKey: makeKey(32), encryptKey: makeKey(16) };
    right = { auth: 'sha256', encrypt: 'aes128', ...keys, replayWindow: 64, spis: spi };
    await load(ipsec('a', { ...right, ...change.ours }));
    await setXfrm(guest, 'b', { ...right, ...change.theirs });
  }

  beforeEach(async () => {
    await set();
    await reach(guest, HOST.a, 5, { source: HOST.b });
  });

  /** What the kernel has counted once `count` packets of ours have failed or come again. */
  async function errorsDuring(
    what: 'failed' | 'replayed',
    count: number,
    action: () => Promise<unknown>,
  ): Promise<unknown> {
    const before = await readXfrm(guest);
    await action();
    const after = await waitFor(
      `the kernel counts ${count} packets that ${what}`,
      5,
      async () => {
        const now = await readXfrm(guest);
        return now.states.get(spi.a)![what] === count && now;
      },
      () => describeXfrm(guest),
    );
    return dropsSince(before.errors, after.errors);
  }

  /** A packet that one side has sent during echoes that went well. */
  async function record(direction: 'in' | 'out'): Promise<Buffer> {
    const file = `${makeDirectory('record')}/esp.pcap`;
    const capture = await Capture.start(site, 'e0', file, { filter: 'esp', direction });
    await knock();
    await capture.stop(1);
    return readFrames(file)[0]!;
  }

  it('another SPI', async () => {
    await setXfrm(guest, 'b', { ...right, spis: { a: spi.a, b: spi.b + 1 } });
    assert.deepEqual(await dropsDuring(knock), { 'ipsec-unknown-spi': 3 });
  });

  it('another key: the kernel counts packets of ours that fail', async () => {
    await set({ ours: { authKey: makeKey(32) } });
    const errors = await errorsDuring('failed', 3, () => knock(hostA));
    assert.deepEqual(errors, { XfrmInStateProtoError: 3 });
  });

  it('another key: we count packets of the kernel that fail', async () => {
    await set({ theirs: { authKey: makeKey(32) } });
    assert.deepEqual(await dropsDuring(knock), { 'ipsec-icv-invalid': 3 });
  });

  it('a packet of ours comes again: the kernel counts a replay', async () => {
    const frame = await record('out');
    const errors = await errorsDuring('replayed', 2, () => sendRaw(site, 'e0', [frame, frame]));
    assert.deepEqual(errors, { XfrmInStateSeqError: 2 });
    await reach(hostA, HOST.b);
  });

  it('a packet of the kernel comes again: we count a replay', async () => {
    const frame = await record('in');
    const send = `echo ${frame.toString('base64')} | base64 -d | socat -u STDIN INTERFACE:eth0`;
    const drops = await dropsDuring(async () => {
      for (let count = 0; count < 2; count++) await guest.run(['sh', '-c', send]);
    });
    assert.deepEqual(drops, { 'ipsec-replayed': 2 });
    await reach(guest, HOST.a, 5, { source: HOST.b });
  });

  it('kill -9 under traffic: to the kernel, what each new process sends goes on where the one before ended', async () => {
    const before = await readXfrm(guest);
    const echoes = hostA.start(['ping', '-n', '-q', '-i', '0.02', HOST.b]);
    for (let kill = 0; kill < KILLS; kill++) {
      // One that dies within a second of its start is started again with a delay.
      await delay(1000);
      const { packets } = (await readXfrm(guest)).states.get(spi.a)!;
      await wideplane.killDaemon('dataplaned');
      await waitFor(`packets after kill ${kill + 1}`, 10, async () => {
        const now = (await readXfrm(guest)).states.get(spi.a)!.packets;
        return now > packets + 5;
      });
    }
    await echoes.stop('SIGINT');
    const after = await readXfrm(guest);
    assert.deepEqual(dropsSince(before.errors, after.errors), {});
    const { replayed, failed } = after.states.get(spi.a)!;
    assert.deepEqual({ replayed, failed }, { replayed: 0, failed: 0 });
  });

  it('no protection where a selector asks for it', async () => {
    await guest.run(['sh', '-c', 'ip xfrm state flush; ip xfrm policy flush']);
    assert.deepEqual(await dropsDuring(knock), { 'ipsec-policy-required': 3 });
  });
});
