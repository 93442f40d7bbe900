// time-out: 900 s
// What a network engineer types first: ping of every size, traceroute and tracepath, through every type of tunnel, by IPv4 and
// IPv6 inside and outside, both ways, forwarded by a wideplane at each end, and from sockets of the machines that they run on
// (topology: harness/routed-pair.ts). tshark judges all of it.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Capture, findComplaints, readFields } from './harness/capture.ts';
import { makeDirectory, type Namespace } from './harness/namespace.ts';
import { buildRoutedPair, type RoutedPair, type RoutedSide, TUNNEL_FORMS } from './harness/routed-pair.ts';
import { ping, reach } from './harness/traffic.ts';

const isLong = process.env.WIDEPLANE_LONG === '1';

/** Every type once in the short form, IPv6 outside for every second; all of them in the long one. */
const ROWS = TUNNEL_FORMS.flatMap((form, index) => {
  const versions = isLong ? ([4, 6] as const) : [index % 2 === 0 ? (4 as const) : (6 as const)];
  return versions.map((underlay) => ({ form, underlay }));
});

/** Where traffic comes from, and the addresses on its way: of the routers, and of its end. */
type Origin = {
  name: string;
  from: Namespace;
  hops: readonly string[];
  /** The address that it is sent from, where that is not the one which the routes choose. */
  source?: string;
};

function forwarded(from: RoutedSide, to: RoutedSide, version: 4 | 6): Origin {
  const there = to.addresses[version];
  const hops = [from.addresses[version].router, there.tunnel, there.host];
  return { name: 'a host', from: from.host, hops };
}

/** Sockets of the machine that wideplane runs on: of the self IP in the tunnel, and of the one on the VLAN. */
function ofTheMachine(from: RoutedSide, to: RoutedSide, version: 4 | 6): Origin[] {
  const there = to.addresses[version];
  const hops = [there.tunnel, there.host];
  return [
    { name: 'a socket', from: from.site, hops },
    { name: 'a socket that is bound', from: from.site, hops, source: from.addresses[version].router },
  ];
}

/**
 * Where wideplane and traceroute run. With ICMP and TCP all probes share a raw socket: the kernel queues an ICMP error on it, wakes the
 * reader, and only then marks the socket. A reader that wakes at once on another CPU empties the queue before the mark, and then
 * looks into the empty queue for ever, at answers that wait beside it (rawv6_err, recv_reply of traceroute).
 */
const CPU = 0;

/** The address that answered at each hop, by traceroute with the probes of `method`. */
async function traceroute({ from, hops, source }: Origin, method: string): Promise<string[]> {
  const bound = source === undefined ? [] : ['-s', source];
  const how = ['-n', '-q', '2', '-w', '3', '-m', '6', method, ...bound];
  const text = await from.run(['taskset', '-c', `${CPU}`, 'traceroute', ...how, hops.at(-1)!], { seconds: 20 });
  return text
    .split('\n')
    .slice(1)
    .filter((line) => line !== '')
    .map((line) => /^\s*\d+\s+(\S+)/.exec(line)?.[1] ?? line);
}

async function exerciseTraces(origin: Origin, innerMtu: number): Promise<void> {
  const { name, from, hops } = origin;
  const target = hops.at(-1)!;
  for (const method of ['--module=default', '--icmp', '--tcp']) {
    assert.deepEqual(await traceroute(origin, method), hops, `${method} from ${name} to ${target}`);
  }
  // tracepath binds to no address.
  if (origin.source !== undefined) return;
  const text = await from.run(['tracepath', '-n', '-m', '6', target], { seconds: 20 });
  for (const hop of hops) assert.ok(text.includes(` ${hop} `), `${hop}\n${text}`);
  const [, mtu, there] = /Resume: pmtu (\d+) hops (\d+)/.exec(text) ?? [];
  assert.deepEqual([Number(mtu), Number(there)], [innerMtu, hops.length], text);
}

/** Octets of payload; in the long form every size up to one that no longer fits, then fragments of all kinds. */
function echoSizes(largest: number): number[] {
  const around = [largest - 1, largest, largest + 1, 1452, 1472, 1473];
  const fragmented = [2 * largest, 3000, 8192, 20_000, 65_000];
  if (!isLong) return [0, 1, 17, 56, 1000, ...around, ...fragmented];
  return [...Array.from({ length: 1700 }, (_, size) => size), ...fragmented];
}

async function exerciseEchoes({ name, from, hops, source }: Origin, version: 4 | 6, innerMtu: number): Promise<void> {
  const target = hops.at(-1)!;
  const largest = innerMtu - 8 - (version === 4 ? 20 : 40);
  // Larger than the way allows: both ends hear so from a router, and send fragments from then on.
  await reach(from, target, 5, { size: 1472, source, waitSeconds: 0.5 });
  const sizes = echoSizes(largest).join(' ');
  const bound = source === undefined ? '' : `-I ${source}`;
  const each = `ping -n -q -c 1 -W 3 ${bound} -s $size ${target} >/dev/null || echo $size`;
  const loop = `for size in ${sizes}; do ${each}; done`;
  const lost = await from.run(['sh', '-c', loop], { seconds: 120 });
  assert.equal(lost, '', `sizes that were lost on the way from ${name} to ${target}`);

  const fits = await ping(from, target, { size: largest, count: 3, dontFragment: true, source });
  assert.equal(fits.received, 3, fits.text);
  const tooBig = await ping(from, target, { size: largest + 1, count: 2, dontFragment: true, source });
  assert.equal(tooBig.received, 0, tooBig.text);
  assert.match(tooBig.text, new RegExp(`mtu\\s?[=:]\\s?${innerMtu}`), 'the sender knows the MTU of the tunnel');
  if (version === 6) return;
  // Without "don't fragment" a router cuts what does not fit.
  const cut = { size: 1472, count: 3, forbidsNothing: true, source };
  assert.equal((await ping(from, target, cut)).received, 3);
}

/** Captures what passes between the ends of the tunnel, and what passes at both hosts. */
async function startCaptures([a, b]: RoutedPair['sides']): Promise<Capture[]> {
  const directory = makeDirectory('captures');
  const captures: Capture[] = [];
  for (const namespace of [a.site, a.host, b.host]) {
    captures.push(await Capture.start(namespace, 'e0', `${directory}/${namespace.name}.pcap`));
  }
  return captures;
}

/** That tshark finds nothing to complain about, having understood everything down to the echoes. */
async function judge([underlay, ...others]: Capture[], [a, b]: RoutedPair['sides']): Promise<void> {
  for (const capture of [underlay!, ...others]) {
    await capture.stop();
    assert.deepEqual(await findComplaints(capture.file), [], capture.file);
  }
  for (const side of [a, b]) {
    const isTarget = `ip.dst == ${side.addresses[4].host} || ipv6.dst == ${side.addresses[6].host}`;
    const requests = `(icmp.type == 8 || icmpv6.type == 128) && (${isTarget})`;
    const seen = await readFields(underlay!.file, requests, ['frame.number']);
    // Three origins of two IP versions each.
    assert.ok(seen.length > 6 * echoSizes(1400).length, `tshark sees ${seen.length} echoes to ${side.host.name}`);
  }
}

describe('through a tunnel', () => {
  for (const { form, underlay } of ROWS) {
    const title = `${form.name} over IPv${underlay}: ping of every size, traceroute and tracepath, both ways`;
    it(`${title}, forwarded and from sockets of the machine`, async () => {
      const { sides, innerMtu } = await buildRoutedPair({ form, underlay, cpu: CPU });
      const [a, b] = sides;
      const captures = await startCaptures(sides);
      // Both versions at once: they share nothing but the tunnel, and spend half of their time waiting.
      await Promise.all(
        ([4, 6] as const).map(async (version) => {
          for (const [from, to] of [
            [a, b],
            [b, a],
          ] as const) {
            for (const origin of [forwarded(from, to, version), ...ofTheMachine(from, to, version)]) {
              await reach(origin.from, origin.hops.at(-1)!);
              await exerciseTraces(origin, innerMtu);
              await exerciseEchoes(origin, version, innerMtu);
            }
          }
        }),
      );
      await judge(captures, sides);
      for (const { wideplane } of sides) assert.equal(await wideplane.stop(), 0, wideplane.log);
    });
  }
});
