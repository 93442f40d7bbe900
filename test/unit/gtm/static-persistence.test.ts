import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { assertShares } from '../../support/chi-square.ts';
import { GtmRig } from '../../support/gtm-rig.ts';

const pool = (count: number) => ({ members: Array.from({ length: count }, () => ({})) });

/** Which member each of 10,000 clients of 10.0.0.0/8 has. */
function members(rig: GtmRig, clients = 10_000): number[] {
  return Array.from({ length: clients }, (_, client) => {
    rig.client.setResolver(Uint8Array.of(10, client >>> 12, (client >>> 6) & 63, client & 63), 0, 4);
    return rig.choose('static-persistence')[0]!;
  });
}

function shares(chosen: readonly number[], count: number): number[] {
  return Array.from({ length: count }, (_, member) => chosen.filter((one) => one === member).length);
}

describe('static persistence', () => {
  it('gives a client the same member, whoever answers', () => {
    const [one, other] = [new GtmRig([pool(5)], [], {}, 1), new GtmRig([pool(5)], [], {}, 2)];
    const first = members(one);
    assert.deepEqual(members(one), first);
    assert.deepEqual(members(other), first);
  });

  it('gives members equal shares of all clients, IPv4 and IPv6', () => {
    for (const count of [2, 3, 8]) {
      assertShares(shares(members(new GtmRig([pool(count)])), count), new Array<number>(count).fill(1), `${count}`);
    }
    const rig = new GtmRig([pool(4)]);
    const counts = [0, 0, 0, 0];
    for (let client = 0; client < 10_000; client++) {
      const address = new Uint8Array(16);
      address.set([0x20, 1, 0xd, 0xb8, 0, client >>> 8, client & 255]);
      rig.client.setResolver(address, 0, 16);
      counts[rig.choose('static-persistence')[0]!]!++;
    }
    assertShares(counts, [1, 1, 1, 1], 'IPv6');
  });

  it('moves only the clients of a member that goes, evenly, and gives them back', () => {
    const rig = new GtmRig([pool(4)]);
    const before = members(rig);
    rig.setUsable(2, false);
    const without = members(rig);
    const moved: number[] = [];
    for (const [client, member] of before.entries()) {
      if (member === 2) moved.push(without[client]!);
      else assert.equal(without[client], member);
    }
    assertShares(shares(moved, 4), [1, 1, 0, 1]);
    rig.setUsable(2, true);
    assert.deepEqual(members(rig), before);
  });

  it('takes no client from one member for another when one is added, and knows members by their keys', () => {
    const named = (...names: string[]) => ({ members: names.map((name) => ({ name })) });
    const before = members(new GtmRig([named('a', 'b', 'c')])).map((member) => 'abc'[member]);
    const after = members(new GtmRig([named('d', 'c', 'a', 'b')])).map((member) => 'dcab'[member]);
    const movers = after.filter((member, client) => member !== before[client]);
    assert.ok(movers.every((member) => member === 'd'));
    assertShares([movers.length, 10_000 - movers.length], [1, 3]);
  });

  it('has further answers by the same order, for the same client', () => {
    const rig = new GtmRig([pool(4)]);
    for (let client = 0; client < 100; client++) {
      rig.client.setResolver(Uint8Array.of(10, 1, 2, client), 0, 4);
      const order = rig.choose('static-persistence', { most: 4 });
      assert.deepEqual(rig.choose('static-persistence', { most: 4 }), order);
      rig.setUsable(order[0]!, false);
      assert.deepEqual(rig.choose('static-persistence', { most: 4 }), order.slice(1));
      rig.setUsable(order[0]!, true);
    }
  });

  it('takes the clients of one network for one, as wide as the settings say', () => {
    const rig = new GtmRig([pool(7)], [], { staticPersistIpv4Bits: 22, staticPersistIpv6Bits: 56 });
    const memberOf = (...octets: number[]): number => {
      const address = new Uint8Array(octets.length === 4 ? 4 : 16);
      address.set(octets);
      rig.client.setResolver(address, 0, address.length);
      return rig.choose('static-persistence')[0]!;
    };
    const networks = [0, 0, 0, 0, 0, 0, 0];
    for (let network = 0; network < 64; network++) {
      const member = memberOf(10, network, 4, 0);
      networks[member]!++;
      assert.equal(memberOf(10, network, 7, 255), member);
      assert.equal(memberOf(10, network, 5, 17), member);
      const member6 = memberOf(0x20, 1, 0xd, 0xb8, 1, 2, network, 3, 9);
      assert.equal(memberOf(0x20, 1, 0xd, 0xb8, 1, 2, network, 200, 1, 1), member6);
    }
    assertShares(networks, [1, 1, 1, 1, 1, 1, 1]);
    const neighbours = Array.from({ length: 64 }, (_, number) => memberOf(10, 0, number * 4, 0));
    assert.ok(new Set(neighbours).size > 3);
  });

  it('has one member for everybody with 0 bits', () => {
    const rig = new GtmRig([pool(5)], [], { staticPersistIpv4Bits: 0 });
    assert.equal(new Set(members(rig, 500)).size, 1);
  });
});
