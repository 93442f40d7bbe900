// A data plane that was led through any sequence of configurations behaves as one that starts with the last of them.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { viewOf } from '../../src/assembly/dataplaned/config-view.ts';
import { buildModel } from '../../src/assembly/dataplaned/build-model.ts';
import type { DeviceFacts } from '../../src/assembly/dataplaned/model.ts';
import { Planner } from '../../src/assembly/dataplaned/planner.ts';
import { applyChanges, diffObjects } from '../../src/config/change.ts';
import type { ObjectMap } from '../../src/config/change.ts';
import { emptyConfiguration } from '../../src/config/configuration.ts';
import { loadText } from '../../src/config/load-text.ts';
import { imbalance } from '../../src/pipeline/books.ts';
import { mac, Rig } from '../support/dataplane-rig.ts';
import {
  arp,
  ethernet,
  hostFrame,
  igmpPacket,
  ipv4Packet,
  ipv6Octets,
  ipv6Packet,
  octets,
  udp,
  vxlan,
} from '../support/frames.ts';

const DEVICES = ['e0', 'e1', 'e2'];
const MACS = ['02:00:00:00:00:01', '02:00:00:00:00:02', '02:00:00:00:00:03'];
const PEER = '02:ee:00:00:00:02';
const HOST_A = '02:aa:00:00:00:01';
const HOST_B = '02:bb:00:00:00:01';
const BROADCAST = 'ff:ff:ff:ff:ff:ff';

const facts = new Map<string, DeviceFacts>(
  DEVICES.map((device, index) => [device, { mac: mac(MACS[index]!), mtu: 1600, isUp: true }]),
);

type Choice = {
  inside: 'untagged' | 'tagged' | 'tagged tag-mode double' | 'tagged tag-mode service';
  mode: 'transparent' | 'translucent' | 'opaque';
  bridgeTraffic: boolean;
  sourceCheck: boolean;
  second: boolean;
  group: ('inside' | 'other' | 'vx1' | 'vx2')[];
  splitHorizon: 'tunnels' | 'none';
  vx1: 'none' | 'point' | 'any' | 'group';
  /** IP version between the ends of vx1. */
  underlay: 4 | 6;
  vx2: boolean;
  key: number;
  /** Static stations behind vx1: none, one, or more than fit in one operation, of which some live elsewhere. */
  fdb: 'none' | 'one' | 'many' | 'other many';
  /** The station of vx1, behind vx2 too, or behind an interface of the VLAN. */
  twin: 'none' | 'vx2' | 'inside';
  self: boolean;
  arp: boolean;
};

const choice: fc.Arbitrary<Choice> = fc.record({
  inside: fc.constantFrom('untagged', 'tagged', 'tagged tag-mode double', 'tagged tag-mode service'),
  mode: fc.constantFrom('transparent', 'translucent', 'opaque'),
  bridgeTraffic: fc.boolean(),
  sourceCheck: fc.boolean(),
  second: fc.boolean(),
  group: fc.subarray(['inside', 'other', 'vx1', 'vx2'] as const).map((names) => [...names]),
  splitHorizon: fc.constantFrom('tunnels' as const, 'none' as const),
  vx1: fc.constantFrom('none' as const, 'point' as const, 'any' as const, 'group' as const),
  underlay: fc.constantFrom(4 as const, 6 as const),
  vx2: fc.boolean(),
  key: fc.constantFrom(100, 101),
  fdb: fc.constantFrom('none' as const, 'one' as const, 'many' as const, 'other many' as const),
  twin: fc.constantFrom('none' as const, 'vx2' as const, 'inside' as const),
  self: fc.boolean(),
  arp: fc.boolean(),
});

const UNDERLAY = {
  4: { prefix: '10.9.1.', group: '239.1.1.1' },
  6: { prefix: '2001:db8:9::', group: 'ff05::100' },
} as const;

/** The text of a configuration; members that do not exist are left out of the group. */
function textOf(chosen: Choice): string {
  const exists = { inside: true, other: chosen.second, vx1: chosen.vx1 !== 'none', vx2: chosen.vx2 };
  const lines = DEVICES.map((device, index) => `net interface 1.${index} { device ${device} qinq-ethertype 0x88a8 }`);
  lines.push(`net vlan wan { interfaces { 1.0 { untagged } } tag 10 mtu 1600 }`);
  const check = chosen.sourceCheck ? 'enabled' : 'disabled';
  lines.push(
    `net vlan inside { interfaces { 1.1 { ${chosen.inside} } } tag 20 customer-tag 7 source-checking ${check} }`,
  );
  if (chosen.second) lines.push('net vlan other { interfaces { 1.2 { untagged } } tag 30 }');
  if (chosen.self) lines.push('net self wan-self { address 10.9.1.1/24 vlan wan }');
  if (chosen.self) lines.push('net self wan-self6 { address 2001:db8:9::1/64 vlan wan }');
  if (chosen.vx1 !== 'none') {
    const { prefix, group } = UNDERLAY[chosen.underlay];
    const remote = { point: `${prefix}2`, any: 'any', group }[chosen.vx1];
    const profile = chosen.vx1 === 'group' ? 'vxlan' : 'vxlan-multipoint';
    lines.push(
      `net tunnels tunnel vx1 { local-address ${prefix}1 remote-address ${remote} key ${chosen.key} profile ${profile} }`,
    );
    const flood = chosen.vx1 === 'any' ? `ff:ff:ff:ff:ff:ff { endpoints { ${prefix}2 ${prefix}3 } }` : '';
    const station = chosen.fdb === 'none' ? '' : `${HOST_B} { endpoint ${prefix}2 }`;
    const records = `${flood} ${station} ${bulk(chosen)}`;
    if (records.trim() !== '') lines.push(`net fdb tunnel vx1 { records { ${records} } }`);
  }
  if (chosen.twin === 'inside') lines.push(`net fdb vlan inside { records { ${HOST_B} { interface 1.1 } } }`);
  if (chosen.vx2) {
    lines.push(
      'net tunnels tunnel vx2 { local-address 10.9.1.1 remote-address 10.9.1.4 key 200 profile vxlan-multipoint }',
    );
  }
  if (chosen.vx2 && chosen.twin === 'vx2') {
    lines.push(`net fdb tunnel vx2 { records { ${HOST_B} { endpoint 10.9.1.4 } } }`);
  }
  const members = chosen.group.filter((name) => exists[name]);
  if (members.length > 0) {
    const bridging = `mode ${chosen.mode} bridge-traffic ${chosen.bridgeTraffic ? 'enabled' : 'disabled'}`;
    lines.push(
      `net vlan-group g { members { ${members.join(' ')} } split-horizon ${chosen.splitHorizon} ${bridging} }`,
    );
  }
  if (chosen.arp) lines.push(`net arp 10.9.1.3 { ip-address 10.9.1.3 mac-address 02:ee:00:00:00:03 }`);
  return `${lines.join('\n')}\n`;
}

const BULK = 600;
const bulkMac = (index: number): string =>
  `02:dd:00:00:${(index >> 8).toString(16).padStart(2, '0')}:${(index & 255).toString(16).padStart(2, '0')}`;

/** Records of the larger tables: the two share half of their stations, and of those every third has another end. */
function bulk({ fdb, underlay }: Choice): string {
  if (fdb === 'none' || fdb === 'one') return '';
  const first = fdb === 'many' ? 0 : BULK / 2;
  const records = Array.from({ length: BULK }, (_, offset) => {
    const index = first + offset;
    return `${bulkMac(index)} { endpoint ${UNDERLAY[underlay].prefix}${fdb === 'many' || index % 3 === 0 ? 2 : 3} }`;
  });
  return records.join(' ');
}

class Subject {
  readonly rig = new Rig();
  readonly #planner = new Planner(250);
  #objects: ObjectMap = new Map();
  #view = viewOf([]);

  constructor() {
    DEVICES.forEach((_, index) => this.rig.addPort(this.#planner.port(`1.${index}`)));
  }

  goTo(chosen: Choice): void {
    const { configuration } = loadText(textOf(chosen), emptyConfiguration());
    // As a daemon gets it: what did not change is the same object as before.
    this.#objects = applyChanges(this.#objects, diffObjects(this.#objects, configuration.views));
    this.#view = viewOf(this.#objects.values(), this.#view);
    const model = buildModel(this.#view, facts);
    const { operations: planned, freedRows } = this.#planner.plan(model);
    const operations = [...planned];
    if (operations.length > 0) this.rig.apply(...operations);
    for (const row of freedRows) this.rig.counters.clear(row);
    this.#planner.recycle(freedRows);
  }

  /** Forgets what was learned and asked for, by letting it age. */
  rest(): void {
    for (let step = 0; step < 120; step++) this.rig.advance(4000);
    for (const index of DEVICES.keys()) this.rig.received(index);
  }

  /** What leaves by each port for a fixed series of frames. */
  exercise(): string[] {
    const { rig } = this;
    const tagged = (frame: Buffer, tags = '8100 0014'): Buffer =>
      Buffer.concat([frame.subarray(0, 12), octets(tags), frame.subarray(12)]);
    const ofHost = (frame: Buffer): Buffer => ethernet(BROADCAST, HOST_A, 0x0806, frame);
    const outer = (vni: number, source: string): Buffer =>
      ethernet(
        MACS[0]!,
        PEER,
        0x0800,
        ipv4Packet(
          { source, destination: '10.9.1.1', protocol: 17 },
          udp(50_000, 4789, vxlan(vni, hostFrame(HOST_A, HOST_B))),
        ),
      );
    const outer6 = (vni: number, destination: string, destinationMac: string): Buffer => {
      const datagram = udp(50_000, 4789, vxlan(vni, hostFrame(HOST_A, HOST_B)));
      const fields = { source: '2001:db8:9::2', destination, nextHeader: 17 };
      return ethernet(destinationMac, PEER, 0x86dd, ipv6Packet(fields, datagram, 6));
    };
    const said: string[] = [];
    const step = (port: number, frame: Buffer): void => {
      rig.send(port, frame);
      for (const index of DEVICES.keys()) {
        const left = rig.received(index).map((octetsOfFrame) => octetsOfFrame.toString('hex'));
        said.push(`${index}: ${left.sort().join(' ')}`);
      }
    };
    step(1, hostFrame(HOST_B, HOST_A));
    step(1, tagged(hostFrame(HOST_B, HOST_A)));
    step(1, tagged(hostFrame(HOST_B, HOST_A), '88a8 0014'));
    step(1, tagged(hostFrame(HOST_B, HOST_A), '88a8 0014 8100 0007'));
    step(1, ofHost(arp(1, HOST_A, '172.16.0.1', '00:00:00:00:00:00', '172.16.0.2')));
    step(1, ethernet(BROADCAST, HOST_A, 0x88b5, Buffer.alloc(46)));
    const target = Buffer.concat([ipv6Octets('2001:db8:9::2'), octets(`0201${PEER}`)]);
    const advertisement = Buffer.concat([octets('8800 0000 60000000'), target]);
    const fields = { source: '2001:db8:9::2', destination: '2001:db8:9::1', nextHeader: 58, hopLimit: 255 };
    const answerAll = (): void => {
      for (const last of [2, 3, 4]) {
        const address = `10.9.1.${last}`;
        step(0, ethernet(MACS[0]!, PEER, 0x0806, arp(2, PEER, address, MACS[0]!, '10.9.1.1')));
      }
      step(0, ethernet(MACS[0]!, PEER, 0x86dd, ipv6Packet(fields, advertisement, 2)));
    };
    answerAll();
    step(0, ethernet('ff:ff:ff:ff:ff:ff', PEER, 0x0806, arp(1, PEER, '10.9.1.2', '00:00:00:00:00:00', '10.9.1.1')));
    for (const [vni, source] of [
      [100, '10.9.1.2'],
      [101, '10.9.1.2'],
      [200, '10.9.1.4'],
      [100, '10.9.1.3'],
    ] as const) {
      step(0, outer(vni, source));
    }
    step(0, outer6(100, '2001:db8:9::1', MACS[0]!));
    step(0, outer6(101, 'ff05::100', '33:33:00:00:01:00'));
    const toGroup = outer(100, '10.9.1.2');
    toGroup.set(octets('01005e010101'), 0);
    step(0, toGroup);
    const query = igmpPacket('10.9.1.2', '224.0.0.1', octets('1164 0000 00000000 02 7d 0000'));
    step(0, ethernet('01:00:5e:00:00:01', PEER, 0x0800, query));
    // Once more: ends of tunnels that were learned just now were nobody's neighbours before, and ends that were learned
    // earlier still are.
    answerAll();
    for (let quarter = 0; quarter < 48; quarter++) rig.advance(250);
    step(1, hostFrame('ff:ff:ff:ff:ff:ff', HOST_A));
    step(2, hostFrame(HOST_B, '02:cc:00:00:00:01'));
    step(1, hostFrame(HOST_B, HOST_A));
    for (const index of [0, BULK / 2 - 1, BULK / 2, BULK / 2 + 1, BULK - 1, BULK, BULK + BULK / 2 - 1]) {
      step(1, hostFrame(bulkMac(index), HOST_A));
    }
    assert.equal(imbalance(rig.books), 0);
    return said;
  }
}

/** A tunnel whose IPv6 end is learned by the exercise, and stays an end while its neighbour is forgotten. */
const LEARNED_END: Choice = {
  inside: 'untagged',
  mode: 'transparent',
  bridgeTraffic: false,
  sourceCheck: false,
  second: true,
  group: ['other', 'vx1'],
  splitHorizon: 'tunnels',
  vx1: 'group',
  underlay: 6,
  vx2: false,
  key: 100,
  fdb: 'none',
  twin: 'none',
  self: true,
  arp: false,
};

describe('a change of configuration', () => {
  it('leads to the same data plane as a start with the result', () => {
    fc.assert(
      fc.property(fc.array(choice, { minLength: 1, maxLength: 6 }), fc.boolean(), (choices, withTraffic) => {
        const changed = new Subject();
        for (const chosen of choices) {
          changed.goTo(chosen);
          if (withTraffic) changed.exercise();
        }
        changed.rest();
        const fresh = new Subject();
        fresh.goTo(choices.at(-1)!);
        fresh.rest();
        assert.deepEqual(changed.exercise(), fresh.exercise());
      }),
      { numRuns: 120, examples: [[[LEARNED_END], true]] },
    );
  });
});
