// time-out: 300 s
// Ways to a resolver behind three routers of the kernel: as a link delays and loses, and as traceroute counts them.
//
//   site 10.1.0.1 ── r1 ── 10.2.0.0 ── r2 ── 10.3.0.0 ── r3 ── 10.4.0.1 ═ slow link ═ 10.4.0.2 resolver

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { PathMeasure } from '../../src/probe/path-prober.ts';
import { connect, Namespace } from './harness/namespace.ts';
import type { Program } from './harness/program.ts';
import { waitFor } from './harness/wait.ts';
import { ALL_DAEMONS, Wideplane } from './harness/wideplane.ts';

const LINK = fileURLToPath(new URL('../../../test/interop/harness/programs/slow-link.py', import.meta.url));
const PROGRAM = fileURLToPath(new URL('./harness/programs/measure-path.js', import.meta.url));
const [SITE, RESOLVER] = ['10.1.0.1', '10.4.0.2'];
const RESOLVER6 = 'fd00:4::2';
const ROUTERS = 3;
const DELAY_MS = 20;
/** Beyond the delay: a machine that others use. */
const SLACK_MS = 980;
const LOSS = 0.4;

const CONFIGURATION = `
gtm global-settings metrics { paths-retry 5 }
gtm datacenter here { }
gtm datacenter there { }
gtm server own { datacenter here monitor none devices { own { addresses { ${SITE} { } } } } virtual-servers { v { destination 192.0.2.1:80 } } }
gtm server other { datacenter there product generic-host monitor none devices { other { addresses { 198.51.100.9 { } } } } virtual-servers { v { destination 192.0.3.1:80 } } }
gtm pool a near { load-balancing-mode lowest-round-trip-time alternate-mode global-availability members { other:v { member-order 0 } own:v { member-order 1 } } }
gtm pool a hops { load-balancing-mode fewest-hops alternate-mode global-availability members { other:v { member-order 0 } own:v { member-order 1 } } }
gtm wideip a near.example.com { pools { near { } } }
gtm wideip a hops.example.com { pools { hops { } } }
gtm listener any { address ${SITE} port 53 }
`;

let site: Namespace;
let resolver: Namespace;
let wire: Namespace;
let link: Program | undefined;

type Measured = { readonly measure?: PathMeasure; readonly hops?: number };
const measure = async (address: string, protocols: string): Promise<Measured> =>
  JSON.parse(await site.run([process.execPath, PROGRAM, address, protocols])) as Measured;
async function setLink(loss: number): Promise<void> {
  await link?.stop();
  link = wire.start(['python3', LINK, 'left', 'right', String(DELAY_MS), String(loss)]);
  await link.expect(/^ready/m, 10);
}

before(async () => {
  site = await Namespace.create('site');
  resolver = await Namespace.create('resolver');
  const routers = await Promise.all(['r1', 'r2', 'r3'].map((name) => Namespace.create(name)));
  wire = await Namespace.create('wire');
  const chain = [site, ...routers, resolver];
  for (let place = 1; place < chain.length; place++) {
    const [left, right] = [chain[place - 1]!, chain[place]!];
    if (right === resolver) {
      await connect([left, 'e1'], [wire, 'left']);
      await connect([wire, 'right'], [right, 'e0']);
    } else await connect([left, 'e1'], [right, 'e0']);
    await left.addAddress('e1', `10.${place}.0.1/24`, `fd00:${place}::1/64`);
    await right.addAddress('e0', `10.${place}.0.2/24`, `fd00:${place}::2/64`);
  }
  for (const [place, router] of chain.entries()) {
    // What routers say of used up hops is measured here: they shall not save it.
    await router.sysctl({
      ...{ 'net.ipv4.ip_forward': '1', 'net.ipv6.conf.all.forwarding': '1' },
      ...{ 'net.ipv4.icmp_ratelimit': '0', 'net.ipv6.icmp.ratelimit': '0' },
    });
    if (place < chain.length - 1) {
      await router.ip('route', 'add', '10.0.0.0/8', 'via', `10.${place + 1}.0.2`);
      await router.ip('-6', 'route', 'add', 'fd00::/16', 'via', `fd00:${place + 1}::2`);
    }
    for (let network = 1; network < place; network++) {
      await router.ip('route', 'add', `10.${network}.0.0/24`, 'via', `10.${place}.0.1`);
      await router.ip('-6', 'route', 'add', `fd00:${network}::/64`, 'via', `fd00:${place}::1`);
    }
  }
  await setLink(0);
});

after(() => link?.stop());

describe('the way to a resolver', () => {
  it('is as long as the network delays it, by each protocol', async () => {
    for (const protocol of ['icmp', 'tcp', 'udp', 'dns_dot', 'dns_rev']) {
      const { measure: found } = await measure(RESOLVER, protocol);
      console.log(`${protocol}: ${JSON.stringify(found)}, delay ${DELAY_MS} ms`);
      assert.ok(found !== undefined, protocol);
      assert.ok(found.roundTripTime >= 1000 * DELAY_MS, protocol);
      assert.ok(found.roundTripTime < 1000 * (DELAY_MS + SLACK_MS), protocol);
      assert.equal(found.completionRate, 1000, protocol);
    }
  });

  it('has as many hops as traceroute counts, of both IP versions', async () => {
    for (const [address, flag] of [
      [RESOLVER, '-4'],
      [RESOLVER6, '-6'],
    ] as const) {
      const traced = await site.run(['traceroute', flag, '-n', '-q', '1', address]);
      const lines = traced.trim().split('\n').slice(1);
      assert.match(lines.at(-1)!, new RegExp(` ${address} `));
      const { hops } = await measure(address, 'icmp');
      console.log(`${address}: ${hops} hops, traceroute ${lines.length}`);
      assert.equal(hops, lines.length);
      assert.equal(hops, ROUTERS + 1);
    }
  });

  it('completes as much as the network does not lose', async () => {
    await setLink(LOSS);
    let sum = 0;
    const TIMES = 10;
    for (let time = 0; time < TIMES; time++) sum += (await measure(RESOLVER, 'icmp')).measure?.completionRate ?? 0;
    const rate = sum / TIMES / 1000;
    // Of 100 packets: four standard deviations and more.
    console.log(`completed ${rate.toFixed(2)} of ${(1 - LOSS).toFixed(2)}`);
    assert.ok(Math.abs(rate - (1 - LOSS)) < 0.2);
    await setLink(0);
  });

  it('is not known of who answers nothing, and another protocol is tried', async () => {
    assert.deepEqual(await measure('10.4.0.77', 'icmp,udp'), {});
    await resolver.sysctl({ 'net.ipv4.icmp_echo_ignore_all': '1' });
    const { measure: found, hops } = await measure(RESOLVER, 'icmp,tcp');
    assert.equal(found?.completionRate, 1000);
    assert.equal(hops, undefined);
    await resolver.sysctl({ 'net.ipv4.icmp_echo_ignore_all': '0' });
  });
});

it('a resolver that asks is measured, and sent to the nearer datacenter', async () => {
  const wideplane = await Wideplane.start(site, CONFIGURATION, { daemons: ALL_DAEMONS });
  await wideplane.dnsReady();
  const dig = async (name: string): Promise<string> =>
    (await resolver.run(['dig', '+short', '+time=3', `@${SITE}`, `${name}.example.com`])).trim();
  const cli = (...args: string[]): Promise<string> => site.run(wideplane.command('dns', ...args));
  // The other datacenter is as far away as somebody says.
  await cli('path', 'set', RESOLVER, 'there', '--rtt', String(DELAY_MS + SLACK_MS + 1), '--hops', '3');
  assert.equal(await dig('near'), '192.0.3.1');
  const path = new RegExp(
    `^path ${RESOLVER} to /Common/here: by iQuery, good for \\d+ s, rtt ms (\\d+)[.\\d]*, hops 4`,
    'm',
  );
  const [, rtt] = await waitFor('the path is measured', 20, async () => path.exec(await cli('health')) ?? undefined);
  console.log(`measured ${rtt} ms`);
  assert.equal(await dig('near'), '192.0.2.1');
  assert.equal(await dig('hops'), '192.0.3.1');
  await cli('path', 'set', RESOLVER, 'there', '--rtt', '1', '--hops', '9');
  assert.equal(await dig('near'), '192.0.3.1');
  assert.equal(await dig('hops'), '192.0.2.1');
  const listed = (await wideplane.tmsh('show gtm path')).replaceAll(/ +/g, ' ');
  assert.match(listed, new RegExp(`^${RESOLVER} /Common/here ${rtt}[.\\d]* 4 .* iQuery \\d+\\s*$`, 'm'));
  assert.match(listed, new RegExp(`^${RESOLVER} /Common/there 1 9 unknown hand \\d+\\s*$`, 'm'));
  await wideplane.stop();
});
