// Many questions at once by few sockets: answers of one size to one client leave as one message, and each is the one that was asked
// for, from the address that was asked, also where the way is too narrow for that.

import assert from 'node:assert/strict';
import { createSocket, type RemoteInfo } from 'node:dgram';
import { after, before, describe, it } from 'node:test';
import { ListenerCount } from '../../src/assembly/dnsd/engine-protocol.ts';
import { write16 } from '../../src/core/octets.ts';
import { buildZoneTable } from '../../src/dns/zone-builder.ts';
import { ip } from '../lib/namespace.ts';
import { OneListener } from '../support/dns-engine.ts';
import { linesOf, queryOf, type TestRecord, zoneOf } from '../support/dns.ts';

const PORT = 5320;
const NAMES = 40;
const BURST = 400;
/** Texts of these lengths: answers of few sizes, some of which go together, and some that need fragments where the MTU is small. */
const SIZES = [10, 10, 10, 200, 700];
const ADDRESSES = { udp4: ['192.0.2.1', '192.0.2.2', '127.0.0.1'], udp6: ['::1', '2001:db8::1'] } as const;

const nameOf = (index: number): string => `h${index % NAMES}.example.com`;
const textOf = (index: number): string => `${index % NAMES} `.padEnd(SIZES[(index % NAMES) % SIZES.length]!, 'x');

function zone() {
  const soa = {
    mname: 'ns.example.com',
    rname: 'h.example.com',
    serial: 1,
    refresh: 1,
    retry: 1,
    expire: 1,
    minimum: 60,
  };
  const texts = Array.from({ length: NAMES }, (_, index): TestRecord => ({
    ...{ type: 'TXT', name: nameOf(index), ttl: 60 },
    data: textOf(index).match(/.{1,255}/g)!,
  }));
  return buildZoneTable(
    zoneOf('example.com', [
      { type: 'SOA', name: 'example.com', ttl: 60, data: soa },
      { type: 'NS', name: 'example.com', ttl: 60, data: 'ns.example.com' },
      ...texts,
    ]),
  );
}

/** Asks each of the addresses for everything at once, by one socket; resolves when all is answered. */
async function burst(type: keyof typeof ADDRESSES): Promise<void> {
  const socket = createSocket({ type, recvBufferSize: 1 << 21 });
  const questions = Array.from({ length: BURST }, (_, index) => ({
    index,
    address: ADDRESSES[type][index % ADDRESSES[type].length]!,
  }));
  const waiting = new Map(questions.map((question) => [question.index, question]));
  const problems: string[] = [];
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${waiting.size} of ${BURST} are not answered`)), 20_000);
    socket.on('message', (reply: Buffer, { address }: RemoteInfo) => {
      const index = reply.readUInt16BE(0);
      const question = waiting.get(index);
      waiting.delete(index);
      if (question?.address !== address) problems.push(`${index}: from ${address}, not ${question?.address}`);
      if (!linesOf(reply)[1]?.includes(`${index % NAMES} `)) problems.push(`${index}: ${linesOf(reply)[1]}`);
      if (waiting.size > 0) return;
      clearTimeout(timer);
      resolve();
    });
    for (const { index, address } of questions) {
      const message = queryOf({ name: nameOf(index), type: 'TXT', edns: {} });
      write16(message, 0, index);
      socket.send(message, PORT, address);
    }
  });
  socket.close();
  assert.deepEqual(problems, []);
}

const engines: OneListener[] = [];

before(async () => {
  ip('address add 192.0.2.1/32 dev lo');
  ip('address add 192.0.2.2/32 dev lo');
  ip('address add 2001:db8::1/128 dev lo nodad');
  for (const [family, address] of [
    [4, '0.0.0.0'],
    [6, '::'],
  ] as const) {
    const engine = new OneListener();
    engines.push(engine);
    await engine.serve({ family, address, port: PORT }, { unhandled: 'reject', udpOctets: 1232 }, [zone()]);
  }
});
after(() => Promise.all(engines.map((engine) => engine.stop())));

describe('answers that leave together', () => {
  for (const type of ['udp4', 'udp6'] as const) {
    it(`are those that several clients asked for, each from its address: ${type}`, async () => {
      await Promise.all([burst(type), burst(type), burst(type)]);
    });
  }

  it('leave one by one where a segment would not fit the way', async () => {
    // Below what IPv6 needs, which has gone from the device then.
    ip('link set lo mtu 600');
    await Promise.all([burst('udp4'), burst('udp4')]);
    assert.equal(engines[0]!.counts[ListenerCount.failed], 0);
  });
});
