import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { addressOctets, parseAddress } from '../../../src/core/address.ts';
import { compileTopology } from '../../../src/gtm/compile-topology.ts';
import type { Region, TopologyKind, TopologyRecord, TopologyStatement } from '../../../src/gtm/description.ts';
import { TopologyScorer } from '../../../src/gtm/topology-scorer.ts';
import type { TopologySubject } from '../../../src/gtm/topology-tables.ts';

const octetsOf = (address: string): Uint8Array => addressOctets(parseAddress(address)!);

/** `[not] KIND VALUE`. */
function statement(text: string): TopologyStatement {
  const isNegated = text.startsWith('not ');
  const [, kind, value] = /^(?:not )?(\S+) (.+)$/.exec(text)!;
  return { isNegated, kind: kind as TopologyKind, value: value! };
}

type Written = [ldns: string, server: string, score: number, order?: number];

function recordsOf(written: readonly Written[]): TopologyRecord[] {
  return written.map(([ldns, server, score, order = 0]) => ({
    name: `ldns: ${ldns} server: ${server}`,
    ldns: statement(ldns),
    server: statement(server),
    score,
    order,
  }));
}

const region = (name: string, ...members: string[]): Region => ({ name, members: members.map(statement) });

/** Members of one pool by their places, `/Common/dc 192.0.2.1`. */
const member = (place: string, pool = '/Common/pool'): TopologySubject => poolAt(pool, place);

function poolAt(name: string, ...places: string[]): TopologySubject {
  const members = places.map((place) => {
    const [datacenter, address] = place.split(' ');
    return { datacenter: datacenter!, address: octetsOf(address!) };
  });
  return { pool: { type: 'a', name }, members };
}

type Given = { records: readonly Written[]; regions?: readonly Region[]; longestMatch?: boolean };

/** By client and subject. */
function scores(
  { records, regions = [], longestMatch = true }: Given,
  subjects: readonly TopologySubject[],
  clients: readonly string[],
): number[][] {
  const scorer = new TopologyScorer(compileTopology({ regions, topology: recordsOf(records), longestMatch }, subjects));
  return clients.map((client) => {
    const octets = octetsOf(client);
    const topologyClass = scorer.classOf(Uint8Array.of(0, ...octets), 1, octets.length);
    return subjects.map((_, subject) => scorer.score(topologyClass, subject));
  });
}

const EAST = member('/Common/east 192.0.2.1');
const WEST = member('/Common/west 198.51.100.1');

describe('topology records', () => {
  it('score a client by its subnet, the longest mask first', () => {
    const records: Written[] = [
      ['subnet 10.0.0.0/8', 'datacenter /Common/east', 10],
      ['subnet 10.1.0.0/16', 'datacenter /Common/east', 5],
      ['subnet 10.0.0.0/8', 'datacenter /Common/west', 7],
    ];
    const clients = ['10.0.0.1', '10.1.0.0', '10.1.255.255', '10.2.0.0', '11.0.0.0', '9.255.255.255'];
    assert.deepEqual(scores({ records }, [EAST, WEST], clients), [
      [10, 7],
      [5, 7],
      [5, 7],
      [10, 7],
      [-1, -1],
      [-1, -1],
    ]);
  });

  it('go by their order without longest match', () => {
    const records: Written[] = [
      ['subnet 10.1.0.0/16', 'datacenter /Common/east', 5, 2],
      ['subnet 10.0.0.0/8', 'datacenter /Common/east', 10, 1],
    ];
    assert.deepEqual(scores({ records, longestMatch: false }, [EAST], ['10.1.0.1']), [[10]]);
    assert.deepEqual(scores({ records, longestMatch: true }, [EAST], ['10.1.0.1']), [[5]]);
  });

  it('know IPv6 clients and servers', () => {
    const records: Written[] = [
      ['subnet 2001:db8::/32', 'subnet 2001:db8:1::/48', 10],
      ['subnet 2001:db8:0:1::/64', 'subnet 2001:db8:1::/48', 5],
      ['subnet ::/0', 'subnet 2001:db8:1::/48', 1],
    ];
    const subjects = [member('/Common/east 2001:db8:1::53'), member('/Common/east 2001:db8:2::53'), EAST];
    const clients = ['2001:db8::1', '2001:db8:0:1::', '2001:db8:0:1:ffff:ffff:ffff:ffff', '2001:db9::', '10.0.0.1'];
    assert.deepEqual(scores({ records }, subjects, clients), [
      [10, -1, -1],
      [5, -1, -1],
      [5, -1, -1],
      [1, -1, -1],
      [-1, -1, -1],
    ]);
  });

  it('are true of a pool by one of its members, and of its name', () => {
    const records: Written[] = [
      ['subnet 10.0.0.0/8', 'subnet 198.51.100.0/24', 20],
      ['subnet 11.0.0.0/8', 'pool /Common/p', 3],
      ['subnet 12.0.0.0/8', 'not datacenter /Common/west', 4],
    ];
    const both = poolAt('/Common/p', '/Common/east 192.0.2.1', '/Common/west 198.51.100.1');
    const names = poolAt('/Common/p');
    assert.deepEqual(scores({ records }, [both, EAST, names], ['10.0.0.1', '11.0.0.1', '12.0.0.1']), [
      [20, -1, -1],
      [3, -1, 3],
      [-1, 4, 4],
    ]);
  });

  it('look at plain ones first, then at negated servers, negated clients and wildcards', () => {
    const all: Written[] = [
      ['subnet 0.0.0.0/0', 'datacenter /Common/east', 4],
      ['not subnet 11.0.0.0/8', 'datacenter /Common/east', 3],
      ['subnet 10.0.0.0/8', 'not datacenter /Common/west', 2],
      ['subnet 10.0.0.0/8', 'datacenter /Common/east', 1],
    ];
    for (let left = all.length; left > 0; left--) {
      assert.deepEqual(scores({ records: all.slice(0, left) }, [EAST], ['10.0.0.1']), [[all[left - 1]![2]]]);
    }
  });

  it('take the greater score of two that are as specific as each other', () => {
    const records: Written[] = [
      ['region /Common/a', 'datacenter /Common/east', 1],
      ['region /Common/b', 'datacenter /Common/east', 2],
      ['region /Common/a', 'subnet 192.0.2.0/24', 0],
    ];
    const regions = [region('/Common/a', 'subnet 10.0.0.0/8'), region('/Common/b', 'subnet 10.0.0.0/8')];
    assert.deepEqual(scores({ records: records.slice(0, 2), regions }, [EAST], ['10.0.0.1']), [[2]]);
    assert.deepEqual(scores({ records, regions }, [EAST], ['10.0.0.1']), [[0]]);
  });
});

describe('regions', () => {
  it('have what one of their members has and none that is negated', () => {
    const regions = [
      region('/Common/office', 'subnet 10.0.0.0/8', 'not subnet 10.1.0.0/16', 'region /Common/lab'),
      region('/Common/lab', 'subnet 172.16.0.0/12'),
    ];
    const records: Written[] = [['region /Common/office', 'datacenter /Common/east', 1]];
    const clients = ['10.0.0.1', '10.1.0.1', '172.16.0.1', '192.0.2.1'];
    assert.deepEqual(scores({ records, regions }, [EAST], clients), [[1], [-1], [1], [-1]]);
  });

  it('have everything else when all of their members are negated, and nothing without members', () => {
    const regions = [region('/Common/others', 'not subnet 10.0.0.0/8'), region('/Common/empty')];
    const records: Written[] = [
      ['region /Common/others', 'datacenter /Common/east', 1],
      ['region /Common/empty', 'datacenter /Common/east', 2],
      ['region /Common/missing', 'datacenter /Common/east', 3],
    ];
    assert.deepEqual(scores({ records, regions }, [EAST], ['10.0.0.1', '11.0.0.1', '2001:db8::1']), [[-1], [1], [1]]);
  });

  it('are held against each member of a pool', () => {
    const regions = [region('/Common/r', 'datacenter /Common/east', 'not subnet 192.0.2.0/24')];
    const records: Written[] = [['subnet 0.0.0.0/0', 'region /Common/r', 1]];
    const subjects = [
      poolAt('/Common/p', '/Common/east 192.0.2.1', '/Common/east 203.0.113.1'),
      poolAt('/Common/p', '/Common/east 192.0.2.1', '/Common/west 203.0.113.1'),
    ];
    assert.deepEqual(scores({ records, regions }, subjects, ['10.0.0.1']), [[1, -1]]);
  });

  it('that contain each other end', () => {
    const regions = [
      region('/Common/a', 'region /Common/b', 'subnet 10.0.0.0/8'),
      region('/Common/b', 'region /Common/a', 'subnet 11.0.0.0/8'),
    ];
    const records: Written[] = [['region /Common/a', 'datacenter /Common/east', 1]];
    assert.deepEqual(scores({ records, regions }, [EAST], ['10.0.0.1', '11.0.0.1', '12.0.0.1']), [[1], [1], [-1]]);
  });
});
