// beside others
// The engine on sockets, in the network namespace of the test: dig and kdig ask it, by every kind of address.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, describe, it } from 'node:test';
import { createListenerCounts, ListenerCount } from '../../src/assembly/dnsd/engine-protocol.ts';
import { Outcome } from '../../src/dns/outcome.ts';
import { buildZoneTable } from '../../src/dns/zone-builder.ts';
import { zonesAlone } from '../../src/assembly/dnsd/source-data.ts';
import { loadAddon } from '../../src/native/addon.ts';
import { openServerSocket } from '../../src/net/server-socket.ts';
import { ip } from '../lib/namespace.ts';
import { OneListener } from '../support/dns-engine.ts';
import { ask } from '../support/dns-peers.ts';
import { linesOf, queryOf, zoneOf } from '../support/dns.ts';

const PORT = 5310;

function zone(serial: number, address: string) {
  const soa = {
    mname: 'ns.example.com',
    rname: 'host.example.com',
    serial,
    refresh: 1,
    retry: 1,
    expire: 1,
    minimum: 60,
  };
  return buildZoneTable(
    zoneOf('example.com', [
      { type: 'SOA', name: 'example.com', ttl: 60, data: soa },
      { type: 'NS', name: 'example.com', ttl: 60, data: 'ns.example.com' },
      { type: 'A', name: 'www.example.com', ttl: 60, data: address },
    ]),
  );
}

const dig = (...args: string[]): string =>
  execFileSync('dig', ['+time=5', '+tries=1', '-p', String(PORT), ...args], { encoding: 'utf8' });
const kdig = (...args: string[]): string =>
  execFileSync('kdig', ['+timeout=5', '+retry=0', '-p', String(PORT), ...args], { encoding: 'utf8' });

const engines: OneListener[] = [];

before(async () => {
  ip('address add 192.0.2.1/32 dev lo');
  ip('address add 192.0.2.2/32 dev lo');
  ip('address add 2001:db8::1/128 dev lo nodad');
  const responder = {
    ...({ unhandled: 'reject', udpOctets: 1232, nsid: new Uint8Array(Buffer.from('lab')) } as const),
    cookieKey: new Uint8Array(16).fill(7),
  };
  for (const [family, address] of [
    [4, '0.0.0.0'],
    [6, '::'],
  ] as const) {
    const engine = new OneListener();
    engines.push(engine);
    await engine.serve({ family, address, port: PORT }, responder, [zone(1, '192.0.2.80')]);
  }
});
after(() => Promise.all(engines.map((engine) => engine.stop())));

describe('the engine on sockets', () => {
  for (const address of ['127.0.0.1', '192.0.2.1', '192.0.2.2', '::1', '2001:db8::1']) {
    it(`answers from the address that was asked: ${address}`, () => {
      // dig refuses what comes from elsewhere.
      assert.equal(dig(`@${address}`, 'www.example.com', 'A', '+short').trim(), '192.0.2.80');
      assert.match(kdig(`@${address}`, 'www.example.com', 'AAAA'), /AUTHORITY: 1/);
    });
  }

  it('has a cookie for dig, which takes it for one', () => {
    const text = dig('@127.0.0.1', 'www.example.com', 'A', '+cookie', '+nsid');
    assert.match(text, /COOKIE: [0-9a-f]{48} \(good\)/);
    assert.match(text, /NSID: 6c 61 62 \("lab"\)/);
    assert.match(text, /flags: qr aa rd; QUERY: 1, ANSWER: 1/);
  });

  it('refuses what it does not serve', () => {
    assert.match(dig('@127.0.0.1', 'www.elsewhere.net'), /status: REFUSED/);
    assert.match(dig('@127.0.0.1', '+opcode=2', 'www.example.com'), /status: NOTIMP/);
  });

  it('takes other zones without losing a query', async () => {
    const [engine] = engines;
    const query = queryOf({ name: 'www.example.com', type: 'A' });
    const before = engine!.counts[Outcome.zone]!;
    let isDone = false;
    const changes = (async () => {
      let serial = 2;
      while (!isDone) {
        const zones = [zone(serial, `192.0.2.${100 + (serial % 100)}`)];
        await engine!.engine.setSources(zonesAlone(zones));
        serial++;
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      return serial;
    })();
    const answers = await ask(PORT, new Array<Uint8Array>(20_000).fill(query), 60_000);
    isDone = true;
    const serial = await changes;
    assert.ok(serial > 3, String(serial));
    const addresses = answers.map((answer) => linesOf(answer!)[1]!.split(' ').at(-1)!);
    assert.ok(addresses.every((address) => address.startsWith('192.0.2.')));
    assert.ok(new Set(addresses).size > 2, 'answers of several zones came');
    assert.equal(engine!.counts[Outcome.zone]! - before, 20_000);
  });

  it('listens before the machine has the address, and says which it cannot have', async () => {
    const early = new OneListener();
    engines.push(early);
    const answers = { unhandled: 'reject', udpOctets: 1232 } as const;
    await early.serve({ family: 4, address: '192.0.2.99', port: 5312 }, answers, []);
    ip('address add 192.0.2.99/32 dev lo');
    assert.match(dig('-p', '5312', '@192.0.2.99', 'www.example.com'), /status: REFUSED/);
    const twin = new OneListener();
    engines.push(twin);
    await assert.rejects(twin.serve({ family: 4, address: '192.0.2.99', port: 5312 }, answers, []), /already in use/);
    const never = new OneListener();
    engines.push(never);
    await assert.rejects(never.serve({ family: 4, address: '192.0.2.999', port: 5312 }, answers, []), /192\.0\.2\.999/);
  });

  it('serves several addresses in one thread, and stops one without the others', async () => {
    const several = new OneListener();
    engines.push(several);
    const { addon } = loadAddon();
    const answers = { unhandled: 'reject', udpOctets: 1232 } as const;
    await several.engine.ready();
    await several.engine.setSources(zonesAlone([zone(1, '192.0.2.81')]));
    const where = ['192.0.2.1', '192.0.2.2', '2001:db8::1'].map((address, id) => ({ address, id, port: 5311 }));
    const counts = where.map(() => createListenerCounts());
    for (const { address, id, port } of where) {
      const descriptor = openServerSocket(addon!, { address, port, isStream: false, isShared: false });
      const family = address.includes(':') ? 6 : 4;
      await several.engine.open({ id, descriptor, family, counts: counts[id]!, answers });
    }
    const short = (address: string): string => dig('-p', '5311', `@${address}`, 'www.example.com', '+short').trim();
    for (const { address } of where) assert.equal(short(address), '192.0.2.81', address);
    await several.engine.change(0, { ...answers, unhandled: 'noerror' });
    assert.match(dig('-p', '5311', '@192.0.2.1', 'www.elsewhere.net'), /status: NOERROR/);
    assert.match(dig('-p', '5311', '@192.0.2.2', 'www.elsewhere.net'), /status: REFUSED/);
    await several.engine.close(0);
    assert.equal(short('192.0.2.2'), '192.0.2.81');
    assert.equal(counts[0]![ListenerCount.received], 2);
    assert.equal(counts[1]![Outcome.zone], 2);
  });
});
