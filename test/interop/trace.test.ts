// time-out: 900 s
// What a network engineer types first: ping of every size, traceroute and tracepath, through every type of tunnel, by IPv4 and
// IPv6 inside and outside, both ways, forwarded by a wideplane at each end (topology: harness/routed-pair.ts).

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Namespace } from './harness/namespace.ts';
import { buildRoutedPair, type RoutedSide, TUNNEL_FORMS } from './harness/routed-pair.ts';
import { ping, reach } from './harness/traffic.ts';

const isLong = process.env.WIDEPLANE_LONG === '1';

/** Every type once in the short form, IPv6 outside for every second; all of them in the long one. */
const ROWS = TUNNEL_FORMS.flatMap((form, index) => {
  const versions = isLong ? ([4, 6] as const) : [index % 2 === 0 ? (4 as const) : (6 as const)];
  return versions.map((underlay) => ({ form, underlay }));
});

/** Addresses of the routers on the way, and of its end. */
const hops = (from: RoutedSide, to: RoutedSide, version: 4 | 6): string[] => [
  from.addresses[version].router,
  to.addresses[version].tunnel,
  to.addresses[version].host,
];

/**
 * Where wideplane and traceroute run. With ICMP and TCP all probes share a raw socket: the kernel queues an ICMP error on it, wakes the
 * reader, and only then marks the socket. A reader that wakes at once on another CPU empties the queue before the mark, and then
 * looks into the empty queue for ever, at answers that wait beside it (rawv6_err, recv_reply of traceroute).
 */
const CPU = 0;

/** The address that answered at each hop, by traceroute with the probes of `method`. */
async function traceroute(from: Namespace, to: string, method: string): Promise<string[]> {
  const argv = ['taskset', '-c', String(CPU), 'traceroute', '-n', '-q', '2', '-w', '3', '-m', '6', method, to];
  const text = await from.run(argv, { seconds: 20 });
  return text
    .split('\n')
    .slice(1)
    .filter((line) => line !== '')
    .map((line) => /^\s*\d+\s+(\S+)/.exec(line)?.[1] ?? line);
}

async function exerciseTraces(from: RoutedSide, to: RoutedSide, version: 4 | 6, innerMtu: number): Promise<void> {
  const target = to.addresses[version].host;
  const expected = hops(from, to, version);
  for (const method of ['--module=default', '--icmp', '--tcp']) {
    assert.deepEqual(await traceroute(from.host, target, method), expected, `${method} to ${target}`);
  }
  const text = await from.host.run(['tracepath', '-n', '-m', '6', target], { seconds: 20 });
  for (const hop of expected) assert.ok(text.includes(` ${hop} `), `${hop}\n${text}`);
  const [, mtu, there] = /Resume: pmtu (\d+) hops (\d+)/.exec(text) ?? [];
  assert.deepEqual([Number(mtu), Number(there)], [innerMtu, expected.length], text);
}

/** Octets of payload; in the long form every size up to one that no longer fits, then fragments of all kinds. */
function echoSizes(largest: number): number[] {
  const around = [largest - 1, largest, largest + 1, 1452, 1472, 1473];
  const fragmented = [2 * largest, 3000, 8192, 20_000, 65_000];
  if (!isLong) return [0, 1, 17, 56, 1000, ...around, ...fragmented];
  return [...Array.from({ length: 1700 }, (_, size) => size), ...fragmented];
}

async function exerciseEchoes(from: RoutedSide, to: RoutedSide, version: 4 | 6, innerMtu: number): Promise<void> {
  const target = to.addresses[version].host;
  const largest = innerMtu - 8 - (version === 4 ? 20 : 40);
  // Larger than the way allows: the host hears so from the router, and sends fragments from then on.
  await ping(from.host, target, { size: 1472, count: 3 });
  const sizes = echoSizes(largest).join(' ');
  const each = `ping -n -q -c 1 -W 3 -s $size ${target} >/dev/null || echo $size`;
  const loop = `for size in ${sizes}; do ${each}; done`;
  assert.equal(
    await from.host.run(['sh', '-c', loop], { seconds: 120 }),
    '',
    `sizes that were lost on the way to ${target}`,
  );

  const fits = await ping(from.host, target, { size: largest, count: 3, burst: true, dontFragment: true });
  assert.equal(fits.received, 3, fits.text);
  const tooBig = await ping(from.host, target, { size: largest + 1, count: 2, dontFragment: true });
  assert.equal(tooBig.received, 0, tooBig.text);
  assert.match(tooBig.text, new RegExp(`mtu\\s?[=:]\\s?${innerMtu}`), 'the host knows the MTU of the tunnel');
  if (version === 6) return;
  // Without "don't fragment" the router cuts what does not fit.
  const cut = { size: 1472, count: 3, burst: true, forbidsNothing: true };
  assert.equal((await ping(from.host, target, cut)).received, 3);
}

describe('through a tunnel', () => {
  for (const { form, underlay } of ROWS) {
    it(`${form.name} over IPv${underlay}: ping of every size, traceroute and tracepath, both ways`, async () => {
      const { sides, innerMtu } = await buildRoutedPair({ form, underlay, cpu: CPU });
      const [a, b] = sides;
      for (const version of [4, 6] as const) {
        for (const [from, to] of [
          [a, b],
          [b, a],
        ] as const) {
          await reach(from.host, to.addresses[version].host);
          await exerciseTraces(from, to, version, innerMtu);
          await exerciseEchoes(from, to, version, innerMtu);
        }
      }
      for (const { wideplane } of sides) assert.equal(await wideplane.stop(), 0, wideplane.log);
    });
  }
});
