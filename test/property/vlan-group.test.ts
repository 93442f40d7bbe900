// A VLAN group against a model of it, the rewriting of MACs, the loop guard and the table of hosts, under random input.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { CrossingMode } from '../../src/bridge/crossing.ts';
import { FLOODS_PER_SECOND, LoopGuard, MAX_MOVES } from '../../src/bridge/loop-guard.ts';
import { FORWARD } from '../../src/core/drop-reason.ts';
import { imbalance } from '../../src/pipeline/books.ts';
import { HostTable } from '../../src/route/host-table.ts';
import { toggleArpMacs } from '../../src/wire/arp.ts';
import { checkIcmpv6, toggleLinkLayerOptions } from '../../src/wire/icmpv6.ts';
import { Id, mac, Rig } from '../support/dataplane-rig.ts';
import { arp, ethernet, hostFrame } from '../support/frames.ts';
import { fromHex, guard as guarded, vector } from '../support/octets.ts';

const GROUP = '0a:00:00:00:00:01';
/** By port; ports 2 and 3 are of one VLAN. */
const SEGMENTS = [1, 2, 2, 3];
const STATIONS = ['00:aa:00:00:00:01', '02:aa:00:00:00:02', '00:bb:00:00:00:03', '02:bb:00:00:00:04'];
const GROUPS = ['ff:ff:ff:ff:ff:ff', '01:00:5e:00:00:05', '33:33:00:00:00:01'];

const toggled = (text: string): string => {
  const first = Number.parseInt(text.slice(0, 2), 16);
  return (first & 1) === 1 ? text : `${(first ^ 2).toString(16).padStart(2, '0')}${text.slice(2)}`;
};

type Kind = 'ip' | 'arp' | 'other';
type Sent = { port: number; source: string; destination: string; kind: Kind };
type Group = { mode: Exclude<CrossingMode, 'opaque'>; bridgesAll: boolean; bridgesMulticast: boolean };

const sent: fc.Arbitrary<Sent> = fc.record({
  port: fc.integer({ min: 0, max: SEGMENTS.length - 1 }),
  source: fc.constantFrom(...STATIONS),
  destination: fc.constantFrom(...STATIONS, ...STATIONS.map(toggled), ...GROUPS),
  kind: fc.constantFrom<Kind>('ip', 'arp', 'other'),
});

const group: fc.Arbitrary<Group> = fc.record({
  mode: fc.constantFrom('transparent' as const, 'translucent' as const),
  bridgesAll: fc.boolean(),
  bridgesMulticast: fc.boolean(),
});

function frameOf({ source, destination, kind }: Omit<Sent, 'port'>): Buffer {
  if (kind === 'ip') return hostFrame(destination, source);
  if (kind === 'other') return ethernet(destination, source, 0x88b5, Buffer.alloc(46));
  return ethernet(destination, source, 0x0806, arp(2, source, '172.16.0.1', destination, '172.16.0.2'));
}

/** What a group does, written down as plainly as it can be: what leaves by each port. */
class GroupModel {
  readonly #group: Group;
  readonly #places = new Map<string, number>();

  constructor(group_: Group) {
    this.#group = group_;
  }

  send({ port, source, destination, kind }: Sent): Buffer[][] {
    this.#places.set(source, port);
    const out: Buffer[][] = SEGMENTS.map(() => []);
    const crosses = (to: number): boolean => SEGMENTS[to] !== SEGMENTS[port];
    const emit = (to: number): void => {
      if (!crosses(to)) {
        out[to]!.push(frameOf({ source, destination, kind }));
      } else if (this.#mayCross(destination, kind)) {
        const seen = this.#group.mode === 'translucent' ? toggled : (text: string): string => text;
        out[to]!.push(frameOf({ source: seen(source), destination: seen(destination), kind }));
      }
    };
    const place = GROUPS.includes(destination) ? undefined : this.#find(destination, port);
    if (place === undefined) SEGMENTS.forEach((_, to) => to !== port && emit(to));
    else if (place !== port) emit(place);
    return out;
  }

  #find(destination: string, from: number): number | undefined {
    const place = this.#places.get(destination);
    if (this.#group.mode === 'transparent' || (place !== undefined && SEGMENTS[place] === SEGMENTS[from])) return place;
    const twin = this.#places.get(toggled(destination));
    return twin !== undefined && SEGMENTS[twin] !== SEGMENTS[from] ? twin : undefined;
  }

  #mayCross(destination: string, kind: Kind): boolean {
    if (kind === 'other' && !this.#group.bridgesAll) return false;
    return this.#group.bridgesMulticast || !GROUPS.slice(1).includes(destination);
  }
}

function rigOf(crossing: Group): Rig {
  const rig = new Rig();
  const spec = { id: Id.bridgeDomain, name: 'group', localMember: 11, mac: mac(GROUP) };
  rig.apply({ op: 'set-domain', spec: { ...spec, crossing: { ...crossing, bridgesInStandby: true } } });
  SEGMENTS.forEach((segment, port) => {
    rig.addPort(port);
    rig.apply(rig.interfaceMember(20 + port, Id.bridgeDomain, port, 0, { segment }));
  });
  return rig;
}

describe('a VLAN group', () => {
  it('behaves as its model', () => {
    fc.assert(
      fc.property(group, fc.array(sent, { maxLength: 40 }), (chosen, frames) => {
        const rig = rigOf(chosen);
        const model = new GroupModel(chosen);
        for (const frame of frames) {
          // So slowly that no move is a loop.
          rig.advance(1000);
          rig.send(frame.port, frameOf(frame));
          const left = SEGMENTS.map((_, port) => rig.received(port));
          assert.deepEqual(left, model.send(frame));
          assert.equal(imbalance(rig.books), 0);
        }
      }),
      { numRuns: 150 },
    );
  });
});

describe('the rewriting of MACs', () => {
  it('never touches octets outside the frame, whatever stands in it', () => {
    const start = fc.constantFrom('6', '60000000 0020 3aff');
    fc.assert(
      fc.property(start, fc.uint8Array({ maxLength: 120 }), fc.boolean(), (head, tail, corrects) => {
        const octets = Uint8Array.from([...fromHex(head.length % 2 === 0 ? head : `${head}0`), ...tail]);
        const { bytes, start: at, end } = guarded(octets);
        toggleLinkLayerOptions(bytes, at, end, corrects);
      }),
    );
  });

  it('is undone by doing it again, and leaves the checksum right', () => {
    for (const name of ['kernel-neighbour-solicitation', 'kernel-neighbour-advertisement']) {
      const octets = vector(name).slice(14);
      const { bytes, words, start, end } = guarded(octets, 0);
      toggleLinkLayerOptions(bytes, start, end, true);
      assert.notDeepEqual(bytes.slice(start, end), octets, name);
      assert.equal(checkIcmpv6(bytes, words, start), FORWARD, name);
      toggleLinkLayerOptions(bytes, start, end, true);
      assert.deepEqual(bytes.slice(start, end), octets, name);
    }
  });

  it('changes nothing of ARP but the two bits, and is undone by doing it again', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 28, maxLength: 28 }), (octets) => {
        const { bytes, start, end } = guarded(octets);
        toggleArpMacs(bytes, start);
        const once = bytes.slice(start, end);
        const differing = [...once.keys()].filter((at) => once[at] !== octets[at]);
        assert.ok(differing.every((at) => at === 8 || at === 18));
        assert.equal(once[8], octets[8]! ^ 2);
        if (octets.slice(18, 24).some((octet, at) => (at === 0 ? octet & ~2 : octet) !== 0)) {
          toggleArpMacs(bytes, start);
          assert.deepEqual(bytes.slice(start, end), octets);
        }
      }),
    );
  });
});

describe('LoopGuard', () => {
  it('guards two members once a MAC has moved between them too often, and never lets more through than it may', () => {
    const move = fc.record({
      low: fc.nat(1),
      to: fc.integer({ min: 1, max: 3 }),
      later: fc.constantFrom(...Array<number>(39).fill(0), 1),
    });
    fc.assert(
      fc.property(fc.array(move, { maxLength: 200 }), (moves) => {
        const loopGuard = new LoopGuard();
        const places = new Map<number, number>();
        const counts = new Map<string, number>();
        const pairs = new Set<string>();
        let second = 0;
        for (const { low, to, later } of moves) {
          second += later;
          const from = places.get(low) ?? 0;
          places.set(low, to);
          if (from === 0 || from === to) continue;
          loopGuard.moved(1, 0x0200, low, from, to, second);
          const pair = [from, to].sort().join(' ');
          const key = `${low} ${pair} ${second}`;
          counts.set(key, (counts.get(key) ?? 0) + 1);
          if (counts.get(key)! > MAX_MOVES) pairs.add(pair);
        }
        assert.equal(loopGuard.active, pairs.size);
        for (const [from, to] of [
          [1, 2],
          [3, 1],
          [2, 3],
        ] as const) {
          let admitted = 0;
          for (let flood = 0; flood < 200; flood++) if (loopGuard.admits(from, to, second)) admitted += 1;
          assert.equal(admitted, pairs.has([from, to].sort().join(' ')) ? FLOODS_PER_SECOND : 200);
        }
      }),
    );
  });
});

describe('HostTable', () => {
  const address = fc.integer({ min: 1, max: 12 });
  const domain = fc.integer({ min: 1, max: 2 });
  const step = fc.oneof(
    fc.record({ kind: fc.constant('heard' as const), domain, address, member: fc.nat(3), low: fc.nat(5) }),
    fc.record({ kind: fc.constant('member' as const), member: fc.nat(3) }),
    fc.record({ kind: fc.constant('domain' as const), domain }),
    fc.record({ kind: fc.constant('age' as const), beforeMs: fc.nat(120) }),
  );

  it('behaves as a Map of hosts', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const table = new HostTable(8);
        const model = new Map<string, { member: number; low: number; heardMs: number }>();
        const forget = (which: (key: string, host: { member: number; heardMs: number }) => boolean): void => {
          for (const [key, host] of model) if (which(key, host)) model.delete(key);
        };
        for (const [nowMs, each] of steps.entries()) {
          if (each.kind === 'heard') {
            const key = `${each.domain} ${each.address}`;
            const fits = model.has(key) || model.size < 8;
            assert.equal(table.heard(each.domain, each.address, 0x0200, each.low, each.member, nowMs), fits);
            if (fits) model.set(key, { member: each.member, low: each.low, heardMs: nowMs });
          } else if (each.kind === 'member') {
            table.forgetMember(each.member);
            forget((_, { member }) => member === each.member);
          } else if (each.kind === 'domain') {
            table.forgetDomain(each.domain);
            forget((key) => key.startsWith(`${each.domain} `));
          } else {
            table.age(each.beforeMs, 8);
            forget((_, { heardMs }) => heardMs < each.beforeMs);
          }
          assert.equal(table.size, model.size);
          for (const key of [1, 2].flatMap((one) => Array.from({ length: 12 }, (_, at) => `${one} ${at + 1}`))) {
            const [one, two] = key.split(' ').map(Number);
            const at = table.find(one!, two!);
            const host = model.get(key);
            assert.equal(at !== -1, host !== undefined, key);
            if (host === undefined) continue;
            assert.deepEqual([table.member[at], table.macLow[at], table.macHigh[at]], [host.member, host.low, 0x0200]);
          }
        }
      }),
    );
  });
});
