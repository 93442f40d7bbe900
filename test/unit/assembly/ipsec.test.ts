// IPsec in front of what leaves and comes in, on memory ports, with ciphers by node:crypto and without any.
//
//   port 1 ─ bridge ─ tunnel vx1, VXLAN ─ port 0, wan: 10.9.1.1 ─ the other end, 10.9.1.2

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Operation } from '../../../src/assembly/dataplaned/spec.ts';
import { IpsecProtocol } from '../../../src/ipsec/security-association.ts';
import { ANY_PROTOCOL, type Direction, type SelectorAction } from '../../../src/ipsec/traffic-selector.ts';
import { AssociationStates, createAssociationStates } from '../../../src/assembly/dataplaned/association-states.ts';
import { NodeCryptoBatch } from '../../support/crypto-batch.ts';
import {
  Id,
  LOCAL,
  mac,
  PEER_MAC,
  REMOTE,
  Rig,
  type RigOptions,
  VNI,
  WAN_MAC,
  words,
} from '../../support/dataplane-rig.ts';
import { ethernet, ipv4Packet, udp, vxlan } from '../../support/frames.ts';
import { specOf } from '../../support/ipsec-rig.ts';

const HOST_MAC = '02:aa:00:00:00:01';
const FAR_MAC = '02:bb:00:00:00:01';
const POLICY = 3;
const SPI = 0x1234;
const ESP_AT = 14 + 20;
const NUMBERS = 1000;

const frame = (octets = 60): Buffer => ethernet(FAR_MAC, HOST_MAC, 0x0800, Buffer.alloc(octets, 0x42));

function selector(direction: Direction, action: SelectorAction, order = 10, protocol = ANY_PROTOCOL): Operation {
  const [source, destination] = direction === 'out' ? [LOCAL, REMOTE] : [REMOTE, LOCAL];
  const ends = { source: words(source), sourceBits: 32, destination: words(destination), destinationBits: 32 };
  const upper = { protocol, sourcePort: 0, destinationPort: 0 };
  const id = order * 2 + (direction === 'in' ? 1 : 0);
  const place = {
    id,
    name: `s${id}`,
    row: 100 + id,
    scope: 0,
    direction,
    action,
    policy: POLICY,
    order,
    isIpv6: false,
  };
  return { op: 'set-traffic-selector', spec: { ...place, ...ends, ...upper } };
}

function association(key: number, sends: boolean): Operation {
  const [source, destination] = sends ? [LOCAL, REMOTE] : [REMOTE, LOCAL];
  const sa = specOf({ spi: SPI, isTunnel: false, source: words(source), destination: words(destination) });
  const id = sends ? 0 : 1;
  const place = { id, name: `sa${id}`, row: 200 + id, routeDomain: 0, policy: POLICY, sends, tunnel: -1 };
  return { op: 'set-association', spec: { ...place, key, openedSecond: 7, sa } };
}

function makeRig(options: RigOptions = {}): Rig {
  const rig = Rig.withTunnel(options);
  rig.apply(rig.station(Id.bridgeDomain, FAR_MAC, Id.vx1), {
    op: 'set-static-neighbour',
    spec: { domain: Id.wanDomain, address: words(REMOTE), mac: mac(PEER_MAC) },
  });
  rig.received(0);
  return rig;
}

/** A rig with keys for both directions, and numbers to send with. */
function withKeys(): Rig {
  const states = createAssociationStates();
  let key = 0;
  const rig = makeRig({
    associations: states,
    makeCrypto: (arena) => {
      const crypto = new NodeCryptoBatch(arena.bytes);
      key = crypto.openKey({ cipher: 'aes-gcm', mac: 'none' }, Buffer.alloc(20, 9), new Uint8Array());
      return crypto;
    },
  });
  new AssociationStates(states).reserve(0, key, 1, 1 + NUMBERS);
  rig.apply(association(key, true), association(key, false));
  return rig;
}

/** What the other end would send in the clear. */
const fromPeer = (): Buffer =>
  ethernet(
    WAN_MAC,
    PEER_MAC,
    0x0800,
    ipv4Packet(
      { source: REMOTE, destination: LOCAL, protocol: 17 },
      udp(50_000, 4789, vxlan(VNI, ethernet(HOST_MAC, FAR_MAC, 0x0800, Buffer.alloc(60, 7)))),
    ),
  );

describe('traffic selectors in front of a tunnel', () => {
  it('let pass what none of them is for, and what bypasses', () => {
    const rig = makeRig();
    rig.apply(selector('out', 'protect', 10, 97), selector('out', 'bypass', 5), selector('out', 'discard', 7));
    rig.send(1, frame());
    assert.equal(rig.received(0).length, 1);
    assert.deepEqual(rig.drops(), {});
  });

  it('discard by the one with the lowest order', () => {
    const rig = makeRig();
    rig.apply(selector('out', 'bypass', 8), selector('out', 'discard', 7, 17));
    rig.send(1, frame());
    assert.deepEqual(rig.received(0), []);
    assert.deepEqual(rig.drops(), { 'ipsec-policy-discard': 1 });
  });

  it('send nothing in the clear that is to be protected, with or without ciphers', () => {
    for (const rig of [makeRig(), makeRig({ makeCrypto: (arena) => new NodeCryptoBatch(arena.bytes) })]) {
      rig.apply(selector('out', 'protect'));
      rig.send(1, frame());
      assert.deepEqual(rig.received(0), []);
      assert.deepEqual(rig.drops(), { 'ipsec-no-sa': 1 });
      rig.apply({ op: 'remove-traffic-selector', id: 20 });
      rig.send(1, frame());
      assert.equal(rig.received(0).length, 1);
    }
  });

  it('take nothing in the clear that is to be protected', () => {
    const rig = makeRig();
    rig.send(0, fromPeer());
    assert.equal(rig.received(1).length, 1);
    rig.apply(selector('in', 'protect'));
    rig.send(0, fromPeer());
    assert.deepEqual(rig.received(1), []);
    assert.deepEqual(rig.drops(), { 'ipsec-policy-required': 1 });
  });
});

describe('fragments for us', () => {
  const piece = (protocol: number): Buffer =>
    ethernet(
      WAN_MAC,
      PEER_MAC,
      0x0800,
      ipv4Packet({ source: REMOTE, destination: LOCAL, protocol, flags: 0x2000 }, Buffer.alloc(64, 3)),
    );

  it('wait for the rest where they may be pieces of protected packets, and not where they cannot be', () => {
    const rig = makeRig();
    rig.apply(selector('in', 'protect'));
    rig.send(0, piece(17));
    assert.deepEqual(rig.drops(), { 'ipsec-policy-required': 1 });
    rig.send(0, piece(IpsecProtocol.esp));
    assert.deepEqual(rig.drops(), { 'ipsec-policy-required': 1 });
  });
});

describe('VXLAN in ESP', () => {
  it('leaves as ESP, with numbers from 1 on and the second of the key in the IV, and comes back out of it', () => {
    const rig = withKeys();
    rig.apply(selector('out', 'protect'), selector('in', 'protect'));
    rig.send(1, frame());
    rig.send(1, frame());
    const sent = rig.received(0);
    assert.deepEqual(
      sent.map((packet) => [packet[23], packet.readUInt32BE(ESP_AT), packet.readUInt32BE(ESP_AT + 4)]),
      [
        [50, SPI, 1],
        [50, SPI, 2],
      ],
    );
    assert.deepEqual([...sent[0]!.subarray(ESP_AT + 8, ESP_AT + 16)], [0, 0, 0, 7, 0, 0, 0, 1]);
    assert.deepEqual(rig.drops(), {});
    // The same from the other end: its addresses are exchanged, which ESP in mode transport does not authenticate.
    const [back] = sent;
    const echoed = Buffer.from(back!);
    back!.copy(echoed, 0, 6, 12);
    back!.copy(echoed, 6, 0, 6);
    back!.copy(echoed, 26, 30, 34);
    back!.copy(echoed, 30, 26, 30);
    rig.send(0, echoed);
    assert.equal(rig.received(1).length, 0, 'the station behind the tunnel is the one that was sent to');
    rig.send(0, echoed);
    assert.equal(rig.drops()['ipsec-replayed'], 1);
    echoed[echoed.length - 1]! ^= 1;
    echoed.writeUInt32BE(9, ESP_AT + 4);
    rig.send(0, echoed);
    assert.equal(rig.drops()['ipsec-icv-invalid'], 1);
    echoed.writeUInt32BE(SPI + 1, ESP_AT);
    rig.send(0, echoed);
    assert.equal(rig.drops()['ipsec-unknown-spi'], 1);
  });

  it('stops when its numbers are used up', () => {
    const rig = withKeys();
    rig.apply(selector('out', 'protect'));
    for (let packet = 0; packet < NUMBERS + 1; packet++) {
      rig.send(1, frame());
      rig.received(0);
    }
    assert.deepEqual(rig.drops(), { 'ipsec-sequence-unreserved': 1 });
  });
});
