import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Worker } from 'node:worker_threads';
import { formatQueryRecord } from '../../../../src/assembly/dnsd/query-line.ts';
import { createQueryLog, QueryLog, QueryLogReader } from '../../../../src/assembly/dnsd/query-log.ts';
import { answerSources } from '../../../../src/dns/answer-sources.ts';
import { Outcome } from '../../../../src/dns/outcome.ts';
import { Responder } from '../../../../src/dns/responder.ts';
import type { ResponderOptions } from '../../../../src/dns/responder-options.ts';
import type { Sender } from '../../../../src/dns/sender.ts';
import { buildZoneTable } from '../../../../src/dns/zone-builder.ts';
import { ZoneSet } from '../../../../src/dns/zone-set.ts';
import { queryOf, zoneOf } from '../../../support/dns.ts';

const soa = { mname: 'ns', rname: 'host', serial: 1, refresh: 1, retry: 1, expire: 1, minimum: 60 };
const ZONES = new ZoneSet([
  buildZoneTable(
    zoneOf('example.com', [
      { type: 'SOA', name: 'example.com', ttl: 60, data: soa },
      { type: 'NS', name: 'example.com', ttl: 60, data: 'ns.example.org' },
      { type: 'A', name: 'www.example.com', ttl: 60, data: '192.0.2.1' },
    ]),
  ),
]);
const OPTIONS: ResponderOptions = { unhandled: 'drop', udpOctets: 1232 };

function made(records?: number, options: Partial<ResponderOptions> = {}) {
  const memory = createQueryLog(records);
  const responder = new Responder(answerSources(ZONES), { ...OPTIONS, ...options });
  const log = new QueryLog(memory);
  const reader = new QueryLogReader(memory, 'udp');
  const ask = (message: Uint8Array, address: readonly number[] = [192, 0, 2, 99], isStream = false): number => {
    responder.tap = log.isWanted ? log : undefined;
    const octets = new Uint8Array(4096);
    octets.set(message, 7);
    const sender: Sender = {
      ...{ addresses: Uint8Array.of(0, ...address), addressAt: 1, addressOctets: address.length },
      ...{ isStream, now: 1 },
    };
    return responder.respond(octets, 7, 7 + message.length, sender) - 7;
  };
  return { ask, reader };
}

const WWW = queryOf({ name: 'wWw.example.com', type: 'A' });

describe('a query log', () => {
  it('has what is answered while somebody listens', () => {
    const { ask, reader } = made();
    ask(WWW);
    assert.deepEqual(reader.drain(), []);
    reader.isListening = true;
    const before = Date.now();
    const octets = ask(WWW);
    reader.isListening = false;
    ask(WWW);
    const [record, ...others] = reader.drain();
    assert.deepEqual(others, []);
    assert.ok(record!.time >= before && record!.time <= Date.now());
    assert.equal(Buffer.from(record!.name!).toString('latin1'), '\x03wWw\x07example\x03com\0');
    assert.equal(record!.octets, octets);
    assert.equal(record!.outcome, Outcome.zone);
  });

  it('is written as BIND writes it, with what became of the query', () => {
    const { ask, reader } = made(64, { hasBackend: false });
    reader.isListening = true;
    const line = (message: Uint8Array, address?: readonly number[], isStream = false): string => {
      ask(message, address, isStream);
      return formatQueryRecord(reader.drain()[0]!);
    };
    const v6 = [0x20, 1, 0xd, 0xb8, ...new Array<number>(11).fill(0), 1];
    const plain = line(WWW);
    assert.match(plain, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z udp client 192\.0\.2\.99 /);
    const question = '(wWw.example.com): query: wWw.example.com IN A';
    assert.ok(plain.endsWith(` ${question} +: zone NOERROR 49`), plain);
    const edns = queryOf({ name: 'nOne.example.com', type: 'MX', edns: { flags: 0x8000 } });
    const subnet = Uint8Array.from([...edns, 0, 8, 0, 4, 0, 1, 0, 0]).with(edns.length - 1, 8);
    assert.ok(
      line(subnet, v6, true).endsWith(
        ' 2001:db8::1 (nOne.example.com): query: nOne.example.com IN MX +E(0)TD [ECS]: zone NXDOMAIN 95',
      ),
      line(subnet, v6, true),
    );
    assert.ok(line(queryOf({ name: 'a.net', type: 'A' })).endsWith(' A +: unhandledDropped no reply'));
    assert.ok(line(queryOf({ name: '.', type: 'TYPE70', class: 'CH' })).includes(' (.): query: . CH '));
    assert.ok(line(Uint8Array.of(1, 2, 3)).endsWith(' client 192.0.2.99 message: tooShort no reply'));
    const forwards = made(64, { hasBackend: true });
    forwards.reader.isListening = true;
    forwards.ask(queryOf({ name: 'a.net', type: 'A' }));
    assert.ok(formatQueryRecord(forwards.reader.drain()[0]!).endsWith(': forwarded no reply yet'));
  });

  it('tells how many it had no room for, and goes on', () => {
    const { ask, reader } = made(8);
    reader.isListening = true;
    for (let round = 0; round < 5; round++) {
      for (let count = 0; count < 11; count++) ask(WWW);
      assert.equal(reader.drain().length, 8);
      assert.equal(reader.lost, 3 * (round + 1));
    }
  });

  it('has names of every length', () => {
    const { ask, reader } = made(4);
    reader.isListening = true;
    const label = 'x'.repeat(63);
    for (const name of ['x', label, `${label}.${label}.${label}.${'y'.repeat(61)}`, 'z']) {
      ask(queryOf({ name, type: 'A' }));
      const [record] = reader.drain();
      assert.equal(record!.name!.length, name.length + 2);
      assert.ok(formatQueryRecord(record!).includes(`(${name}): query`));
    }
  });

  it('is read while another thread writes: each record is whole, in its order, or counted as lost', async () => {
    const NOTES = 100_000;
    const memory = createQueryLog(64);
    const reader = new QueryLogReader(memory, 'udp');
    const source = (path: string): string => JSON.stringify(new URL(`../../../../src/${path}`, import.meta.url).href);
    // A name of as many x as its number says.
    const code = `(async () => {
      const { QueryLog } = await import(${source('assembly/dnsd/query-log.js')});
      const { Query } = await import(${source('dns/query.js')});
      const { workerData } = require('node:worker_threads');
      const log = new QueryLog(workerData);
      const query = new Query();
      query.octets = new Uint8Array(300);
      const sender = { addresses: new Uint8Array(4), addressAt: 0, addressOctets: 4, isStream: false, now: 1 };
      const pause = new Int32Array(new SharedArrayBuffer(4));
      for (let number = 0; number < ${NOTES}; number++) {
        if (number % 100 === 0) Atomics.wait(pause, 0, 0, 1);
        const length = number % 50 + 1;
        query.octets.fill(0x78);
        query.octets[12] = length;
        query.octets[13 + length] = 0;
        query.nameOctets = length + 2;
        query.questionEnd = 12 + length + 6;
        query.type = number & 0xffff;
        query.flags = number >>> 16;
        log.note(query, 0, 0, length, sender);
      }
    })()`;
    const worker = new Worker(code, { eval: true, workerData: memory });
    let isDone = false;
    const ended = new Promise<void>((resolve, reject) => {
      worker.once('error', reject);
      worker.once('exit', () => {
        isDone = true;
        resolve();
      });
    });
    let read = 0;
    let last = -1;
    const check = (): void => {
      for (const { type, flags, name, octets } of reader.drain()) {
        const number = flags * 0x10000 + type;
        assert.ok(number > last);
        last = number;
        assert.equal(octets, (number % 50) + 1);
        assert.equal(name!.length, octets + 2);
        assert.equal(name![0], octets);
        read++;
      }
    };
    while (!isDone) {
      for (let round = 0; round < 1000; round++) check();
      await new Promise((resolve) => setImmediate(resolve));
    }
    await ended;
    check();
    assert.ok(read > 1000, `${read} of ${NOTES} were read`);
    assert.equal(read + reader.lost, NOTES);
  });
});
