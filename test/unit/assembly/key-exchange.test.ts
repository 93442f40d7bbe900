// Messages of key exchange behind UDP 4500 on memory ports: to who has registered, and from them.
//
//   the other end, 10.9.1.2 ─ port 0, wan: 10.9.1.1

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { KeyExchangeService } from '../../../src/assembly/dataplaned/key-exchange-service.ts';
import type { Operation } from '../../../src/assembly/dataplaned/spec.ts';
import { NodeCryptoBatch } from '../../support/crypto-batch.ts';
import { Id, LOCAL, mac, PEER_MAC, REMOTE, Rig, WAN_MAC, words } from '../../support/dataplane-rig.ts';
import { ethernet, ipv4Packet, ipv6Packet, onesComplement, udp } from '../../support/frames.ts';
import { specOf } from '../../support/ipsec-rig.ts';

const SLOTS = 4;
const PORT = 4500;
const IKE = Buffer.from('00112233445566778899aabbccddeeff2120220800000000', 'hex');
const MARKER = Buffer.alloc(4);
const [LOCAL6, REMOTE6] = ['2001:db8:9::1', '2001:db8:9::2'];

const marked = (message = IKE): Buffer => Buffer.concat([MARKER, message]);
const packet = (payload: Buffer, identification = 0, flags = 0x4000): Buffer =>
  ethernet(
    WAN_MAC,
    PEER_MAC,
    0x0800,
    ipv4Packet({ source: REMOTE, destination: LOCAL, protocol: 17, identification, flags }, payload),
  );

function makeRig(slots: number | 'none' = SLOTS): Rig {
  const rig = Rig.withTunnel({
    pool: { smallSlots: 64, largeSlots: 16, packetSlots: 2 },
    makeCrypto: (arena) => new NodeCryptoBatch(arena.bytes),
    ...(slots !== 'none' && { keyExchangeSlots: slots }),
  });
  rig.apply({
    op: 'set-self',
    spec: { name: 'six', domain: Id.wanDomain, words: words(LOCAL6), isIpv6: true, prefixBits: 64 },
  });
  for (const address of [REMOTE, REMOTE6]) {
    const spec = { domain: Id.wanDomain, address: words(address), mac: mac(PEER_MAC) };
    rig.apply({ op: 'set-static-neighbour', spec });
  }
  rig.received(0);
  return rig;
}

/** An association behind UDP, so that the port is ours. */
function withUdp(rig: Rig): Rig {
  const sa = specOf({
    source: words(REMOTE),
    destination: words(LOCAL),
    udpSourcePort: PORT,
    udpDestinationPort: PORT,
  });
  const place = { id: 0, name: 'sa', row: 200, routeDomain: 0, policy: 1, sends: false, tunnel: -1 };
  rig.apply({ op: 'set-association', spec: { ...place, key: 0, openedSecond: 0, sa } });
  return rig;
}

function serviceOf(rig: Rig): KeyExchangeService {
  const apply = (operation: Operation): Promise<void> => {
    rig.apply(operation);
    return Promise.resolve();
  };
  return new KeyExchangeService({
    memory: () => rig.keyExchange && { arena: rig.arena, ring: rig.keyExchange },
    want: (isWanted) => apply({ op: 'set-key-exchange', isWanted }),
    send: (spec) => apply({ op: 'send-key-exchange', spec }),
    isOurs: (routeDomain, address) =>
      routeDomain === 0 && [LOCAL, LOCAL6].some((own) => words(own).every((word, at) => word === address[at])),
    nameOf: (member) => (member === Id.wanMember ? '/Common/wan' : undefined),
  });
}

type Registered = ReturnType<KeyExchangeService['register']>;

async function register(service: KeyExchangeService): Promise<{ items: Registered; end: () => Promise<void> }> {
  const abort = new AbortController();
  const items = service.register({}, { signal: abort.signal });
  assert.deepEqual(await items.next(), { done: false, value: { messages: [], lost: 0 } });
  const end = async (): Promise<void> => {
    abort.abort();
    await items.return(undefined);
  };
  return { items, end };
}

const refused = (text: RegExp) => (error: unknown) => error instanceof Error && text.test(error.message);

describe('key exchange behind UDP 4500', () => {
  it('is dropped by a name of its own while nobody has registered', () => {
    const rig = withUdp(makeRig());
    rig.send(0, packet(udp(PORT, PORT, marked())));
    assert.deepEqual(rig.drops(), { 'ipsec-not-esp': 1 });
  });

  it('comes with both ends and where it came in, and only for as long as somebody is registered', async () => {
    const rig = makeRig();
    const service = serviceOf(rig);
    const { items, end } = await register(service);
    rig.send(0, packet(udp(40_001, PORT, marked())));
    // A keepalive is for nobody, and ESP is not key exchange.
    rig.send(0, packet(udp(40_001, PORT, Buffer.from([0xff]))));
    rig.send(0, packet(udp(40_001, PORT, Buffer.alloc(64, 1))));
    const { value } = await items.next();
    assert.deepEqual(value, {
      messages: [
        {
          local: LOCAL,
          localPort: PORT,
          remote: REMOTE,
          remotePort: 40_001,
          routeDomain: 0,
          from: '/Common/wan',
          octets: IKE.toString('base64'),
        },
      ],
      lost: 0,
    });
    assert.deepEqual(rig.drops(), { 'ipsec-unknown-spi': 1 });
    await end();
    rig.send(0, packet(udp(40_001, PORT, marked())));
    assert.equal(rig.drops()['unknown-tunnel-port'] ?? rig.drops()['port-lockdown'], 1, JSON.stringify(rig.drops()));
  });

  it('comes in fragments as well, and over IPv6', async () => {
    const rig = makeRig();
    const { items, end } = await register(serviceOf(rig));
    const long = Buffer.alloc(2000, 7);
    const datagram = udp(PORT, PORT, marked(long));
    rig.send(0, packet(datagram.subarray(0, 1400), 77, 0x2000));
    rig.send(0, packet(datagram.subarray(1400), 77, 1400 / 8));
    const { value: first } = await items.next();
    assert.deepEqual(
      first!.messages.map(({ octets }) => octets),
      [long.toString('base64')],
    );
    const six = { source: REMOTE6, destination: LOCAL6, nextHeader: 17 };
    rig.send(0, ethernet(WAN_MAC, PEER_MAC, 0x86dd, ipv6Packet(six, udp(PORT, PORT, marked()), 6)));
    const { value: second } = await items.next();
    assert.deepEqual(
      second!.messages.map(({ local, remote, octets }) => [local, remote, octets]),
      [[LOCAL6, REMOTE6, IKE.toString('base64')]],
    );
    assert.deepEqual(rig.drops(), {});
    await end();
  });

  it('is held against its checksum and its length', async () => {
    const rig = makeRig();
    const { end } = await register(serviceOf(rig));
    const wrong = udp(PORT, PORT, marked());
    wrong.writeUInt16BE(0x1234, 6);
    rig.send(0, packet(wrong));
    const long = udp(PORT, PORT, marked());
    long.writeUInt16BE(long.length + 1, 4);
    rig.send(0, packet(long));
    assert.deepEqual(rig.drops(), { 'udp-checksum-invalid': 1, 'udp-header-invalid': 1 });
    await end();
  });

  it('that is not taken is dropped once the queue is full, and counted for whoever is slow', async () => {
    const rig = makeRig();
    const { items, end } = await register(serviceOf(rig));
    for (let count = 0; count < SLOTS + 3; count++)
      rig.send(0, packet(udp(PORT, PORT, marked(Buffer.from([count, 1, 2, 3])))));
    assert.deepEqual(rig.drops(), { 'ipsec-key-exchange-full': 3 });
    const { value } = await items.next();
    assert.equal(value!.lost, 3);
    assert.deepEqual(
      value!.messages.map(({ octets }) => Buffer.from(octets, 'base64')[0]),
      [0, 1, 2, 3],
    );
    rig.send(0, packet(udp(PORT, PORT, marked())));
    assert.equal((await items.next()).value!.messages.length, 1);
    await end();
  });

  it('is for one daemon at a time, and what was left of one is not for the next', async () => {
    const rig = makeRig();
    const service = serviceOf(rig);
    const first = await register(service);
    await assert.rejects(register(service), refused(/another daemon has registered/));
    rig.send(0, packet(udp(PORT, PORT, marked())));
    await first.end();
    const second = await register(service);
    rig.send(0, packet(udp(PORT, PORT, marked(Buffer.from('fresh')))));
    const { value } = await second.items.next();
    assert.deepEqual(
      value!.messages.map(({ octets }) => octets),
      [Buffer.from('fresh').toString('base64')],
    );
    await second.end();
  });

  it('leaves from our port behind a marker, in fragments where it is large', async () => {
    const rig = makeRig();
    const service = serviceOf(rig);
    const octets = IKE.toString('base64');
    await service.send({ local: LOCAL, remote: REMOTE, remotePort: 40_001, octets });
    const [frame, ...more] = rig.received(0);
    assert.deepEqual(more, []);
    const datagram = frame!.subarray(34);
    assert.deepEqual([datagram.readUInt16BE(0), datagram.readUInt16BE(2)], [PORT, 40_001]);
    assert.deepEqual(datagram.subarray(8), marked());
    const pseudo = Buffer.concat([frame!.subarray(26, 34), Buffer.from([0, 17, 0, datagram.length]), datagram]);
    assert.equal(onesComplement(pseudo), 0);
    await service.send({ local: LOCAL6, remote: REMOTE6, remotePort: PORT, octets });
    const [six] = rig.received(0);
    assert.deepEqual(six!.subarray(14 + 40 + 8), marked());
    await service.send({
      local: LOCAL,
      remote: REMOTE,
      remotePort: PORT,
      octets: Buffer.alloc(20_000).toString('base64'),
    });
    assert.equal(rig.received(0).length, 3);
    assert.deepEqual(rig.drops(), {});
  });

  it('is refused where it cannot leave', async () => {
    const service = serviceOf(makeRig());
    const octets = IKE.toString('base64');
    const send = (local: string, remote: string, payload = octets): Promise<void> =>
      service.send({ local, remote, remotePort: PORT, octets: payload });
    await assert.rejects(send('10.9.1.9', REMOTE), refused(/not the address of any self IP/));
    await assert.rejects(send(LOCAL, REMOTE6), refused(/another IP version/));
    await assert.rejects(send(LOCAL, `${REMOTE}%3`), refused(/route domain/));
    await assert.rejects(send('here', REMOTE), refused(/here is no address/));
    await assert.rejects(send(LOCAL, REMOTE, ''), refused(/1 to 65503 octets/));
    const without = serviceOf(makeRig('none'));
    await assert.rejects(register(without), refused(/there is no IPsec/));
  });
});
