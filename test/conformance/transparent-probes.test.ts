// beside others
// Transparent monitors: probes go by the next hop that they are to go by, whatever the routes of the host say.
//
//              ┌─ w0 ═ w1 [ west ]   10.1.0.2, fd00:1::2
//   [ here ] ──┤                                            both have 10.9.9.9 and fd00:9::9 themselves
//              └─ e0 ═ e1 [ east ]   10.2.0.2, fd00:2::2
//
// The host's own routes lead to west. Each of them answers with its name, and has ports open that the other has not.
// time-out: 120 s

import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { ProbeSpec } from '../../src/health/monitor.ts';
import { createProbers } from '../../src/probe/probers.ts';
import { currentPlace, DeviceJournal } from '../../src/supervise/device-journal.ts';
import { NextHopKeeper } from '../../src/supervise/next-hops.ts';
import { addVeth, ip, run, spawnIn } from '../lib/namespace.ts';
import { Authority } from '../support/certificates.ts';
import { dns, http, https, monitorOf, probeOnce, tcp, udp } from '../support/probe-monitors.ts';

const SIDES = { west: 1, east: 2 } as const;
type Side = keyof typeof SIDES;
const TARGETS = { 4: '10.9.9.9', 6: 'fd00:9::9' } as const;
const hopOf = (side: Side, family: 4 | 6): string =>
  family === 4 ? `10.${SIDES[side]}.0.2` : `fd00:${SIDES[side]}::2`;
/** Open in east alone. */
const EAST_ONLY = 8088;

/** Answers on every port of a side with the side's name, and refuses what it is asked as a name server. */
const SERVER = `
const [side, key, cert, extra] = process.argv.slice(1);
const fs = require('node:fs');
require('node:net').createServer((s) => s.on('error', () => {}).end(side)).listen(7000, '::');
const answer = (q, r) => r.end(side);
require('node:http').createServer(answer).listen(80, '::');
require('node:https').createServer({ key: fs.readFileSync(key), cert: fs.readFileSync(cert) }, answer).listen(443, '::');
// Each at its address: an answer has to come from where it was asked.
const datagrams = (port, answer) => {
  for (const [type, address] of [['udp4', '${TARGETS[4]}'], ['udp6', '${TARGETS[6]}']]) {
    const socket = require('node:dgram').createSocket(type);
    socket.on('message', (m, r) => socket.send(answer(m), r.port, r.address)).bind(port, address);
  }
};
datagrams(7001, () => Buffer.from(side));
datagrams(53, (m) => { m[2] |= 0x80; m[3] = side === 'east' ? 5 : 3; return m; });
if (extra) require('node:net').createServer((s) => s.on('error', () => {})).listen(Number(extra), '::');
console.log('ready');
`;

const directory = mkdtempSync(join(tmpdir(), 'transparent-'));
const quiet = { debug: () => undefined, info: () => undefined, warn: console.warn, error: console.error };
const keeper = new NextHopKeeper(new DeviceJournal(join(directory, 'devices.json'), currentPlace()), quiet);
let marks = new Map<string, number | string>();
const prober = createProbers({ markOf: (hop) => marks.get(hop) ?? `no mark for ${hop}` });
const servers: ChildProcess[] = [];

/** What is sent without a next hop goes west. */
async function tried(spec: ProbeSpec, family: 4 | 6, port: number, side?: Side): Promise<string> {
  const place = { family, address: TARGETS[family], port, via: side && hopOf(side, family) };
  const { verdict, reason, received = '' } = await probeOnce(prober, monitorOf(spec, { module: 'gtm' }), place, 2000);
  return `${verdict} ${received.includes('east') ? 'east' : received.includes('west') ? 'west' : reason}`;
}

before(async () => {
  run('sysctl', '-qw', 'net.ipv6.conf.all.accept_dad=0', 'net.ipv6.conf.default.accept_dad=0');
  const { certificate, key } = new Authority(directory, 'authority').issue({ names: 'DNS:server' });
  for (const side of ['west', 'east'] as const) {
    const [here, there] = [`${side[0]}0`, `${side[0]}1`];
    addVeth(here, there, side);
    run('sysctl', '-qw', `net.ipv6.conf.${here}.disable_ipv6=0`);
    ip(`netns exec ${side} sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.${there}.disable_ipv6=0`);
    const number = SIDES[side];
    ip(`address add 10.${number}.0.1/24 dev ${here}`);
    ip(`address add fd00:${number}::1/64 dev ${here} nodad`);
    ip(`-n ${side} address add 10.${number}.0.2/24 dev ${there}`);
    ip(`-n ${side} address add fd00:${number}::2/64 dev ${there} nodad`);
    ip(`-n ${side} address add ${TARGETS[4]}/32 dev lo`);
    ip(`-n ${side} address add ${TARGETS[6]}/128 dev lo nodad`);
    const extra = side === 'east' ? [String(EAST_ONLY)] : [];
    const server = spawnIn(side, process.execPath, '-e', SERVER, side, key, certificate, ...extra);
    servers.push(server);
    await new Promise((resolve) => server.stdout!.once('data', resolve));
  }
  for (const family of [4, 6] as const) ip(`-${family} route add default via ${hopOf('west', family)}`);
  const hops = (['west', 'east'] as const).flatMap((side) => [hopOf(side, 4), hopOf(side, 6)]);
  const made = await keeper.set('healthd', hops);
  assert.deepEqual(made.map(({ failure }) => failure).filter(Boolean), []);
  marks = new Map(made.map(({ hop, mark }) => [hop, mark!]));
});
after(async () => {
  prober.close();
  for (const server of servers) server.kill();
  assert.equal(await keeper.removeAll(), true);
  assert.doesNotMatch(run('ip', '-4', 'rule') + run('ip', '-6', 'rule'), /fwmark/);
  rmSync(directory, { recursive: true });
});

for (const family of [4, 6] as const) {
  describe(`probes over IPv${family} by a next hop`, () => {
    const kinds: [string, ProbeSpec, number][] = [
      ['tcp', tcp({ receive: 'west|east' }), 7000],
      ['http', http({ send: String.raw`GET / HTTP/1.0\r\n\r\n`, receive: 'west|east' }), 80],
      ['https', https({ send: String.raw`GET / HTTP/1.0\r\n\r\n`, receive: 'west|east' }), 443],
      ['udp', udp({ receive: 'west|east' }), 7001],
    ];
    for (const [name, spec, port] of kinds) {
      it(`of type ${name}`, async () => {
        assert.equal(await tried(spec, family, port, 'east'), 'up east');
        assert.equal(await tried(spec, family, port, 'west'), 'up west');
        assert.equal(await tried(spec, family, port), 'up west');
      });
    }

    it('of type dns', async () => {
      assert.equal(await tried(dns(), family, 53, 'east'), 'wrong the answer is REFUSED');
      assert.equal(await tried(dns(), family, 53, 'west'), 'wrong the answer is NXDOMAIN');
    });

    it('of type tcp-half-open, each in turn', async () => {
      for (let turn = 0; turn < 3; turn++) {
        assert.equal(await tried({ type: 'tcp-half-open' }, family, EAST_ONLY, 'east'), 'up answered');
        assert.equal(await tried({ type: 'tcp-half-open' }, family, EAST_ONLY, 'west'), 'refused connection refused');
        assert.equal(await tried({ type: 'tcp-half-open' }, family, EAST_ONLY), 'refused connection refused');
      }
    });

    it('of type icmp, each in turn', async () => {
      run(
        'ip',
        'netns',
        'exec',
        'west',
        'nft',
        'add table inet no; add chain inet no in { type filter hook input priority 0; }',
      );
      run(
        'ip',
        'netns',
        'exec',
        'west',
        'nft',
        `add rule inet no in ${family === 4 ? 'icmp' : 'icmpv6'} type echo-request drop`,
      );
      try {
        for (let turn = 0; turn < 2; turn++) {
          assert.equal(await tried({ type: 'gateway-icmp' }, family, 0, 'east'), 'up answered');
          assert.equal(await tried({ type: 'gateway-icmp' }, family, 0), 'silent no answer');
        }
      } finally {
        run('ip', 'netns', 'exec', 'west', 'nft', 'delete table inet no');
      }
      assert.equal(await tried({ type: 'gateway-icmp' }, family, 0, 'west'), 'up answered');
    });
  });
}

it('a next hop to which there is no way has no mark, and says so', async () => {
  const hops = (['west', 'east'] as const).flatMap((side) => [hopOf(side, 4), hopOf(side, 6)]);
  const made = await keeper.set('healthd', [...hops, '192.0.2.77']);
  assert.match(made.at(-1)!.failure!, /^no route by 192\.0\.2\.77: .*gateway/i);
  assert.equal(made.at(-1)!.mark, undefined);
  assert.equal(made[0]!.mark, marks.get(hops[0]!));
});
