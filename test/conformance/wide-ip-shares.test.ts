// beside others
// time-out: 300 s
// Shares of answers against those of gdnsd, which is set up alike: as many questions to each of the two, in the network namespace of
// the test.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { makeState, removeState, RunningUp } from '../daemon/supervise/running-up.ts';
import { assertSameShares } from '../support/chi-square.ts';
import { ask, NameServer } from '../support/dns-peers.ts';
import { linesOf, queryOf } from '../support/dns.ts';

const OURS = 5370;
const GDNSD = 5371;
const ORIGIN = 'shares.test';
const QUESTIONS = 6000;

/** Groups of gdnsd are pools of ours. Where all of a group have one weight, all of it is answered. */
const PLUGINS = `
weighted => {
  up_thresh => 0.1
  single => { a => [ 192.0.2.1, 1 ], b => [ 192.0.2.2, 3 ], c => [ 192.0.2.3, 6 ] }
  degraded => { a => [ 192.0.2.11, 1 ], b => [ 192.0.2.12, 3 ], c => [ 192.0.2.13, 6 ], d => [ 192.0.2.14, 2 ] }
  grouped => {
    left => { a => [ 192.0.2.21, 2 ], b => [ 192.0.2.22, 2 ] }
    right => { c => [ 192.0.2.23, 3 ], d => [ 192.0.2.24, 3 ], e => [ 192.0.2.25, 3 ] }
  }
  six => { addrs_v6 => { a => [ 2001:db8::1, 5 ], b => [ 2001:db8::2, 2 ] } }
  names => { a => [ a.example.org., 4 ], b => [ b.example.org., 1 ] }
}
multifo => { all => { a => 192.0.2.31, b => 192.0.2.32, c => 192.0.2.33, d => 192.0.2.34 } }
`;
const ZONE = `
single DYNA weighted!single
degraded DYNA weighted!degraded
grouped DYNA weighted!grouped
six DYNA weighted!six
names DYNC weighted!names
all DYNA multifo!all
`;
const DOWN = ['192.0.2.12'];

const SERVERS = [1, 2, 3, 11, 12, 13, 14, 21, 22, 23, 24, 25, 31, 32, 33, 34].map(
  (host) => `vs${host} { destination 192.0.2.${host}:80 }`,
);
const CONFIG = `
gtm listener any { address any port ${OURS} }
gtm datacenter dc { }
gtm server s {
    datacenter dc product generic-host
    devices { s { addresses { 192.0.2.200 { } } } }
    virtual-servers {
        ${SERVERS.join(' ')}
        six1 { destination 2001:db8::1.80 } six2 { destination 2001:db8::2.80 }
    }
}
gtm pool a single {
    load-balancing-mode ratio
    members { s:vs1 { member-order 0 ratio 1 } s:vs2 { member-order 1 ratio 3 } s:vs3 { member-order 2 ratio 6 } }
}
gtm pool a degraded {
    load-balancing-mode ratio
    members {
        s:vs11 { member-order 0 ratio 1 } s:vs12 { member-order 1 ratio 3 disabled }
        s:vs13 { member-order 2 ratio 6 } s:vs14 { member-order 3 ratio 2 }
    }
}
gtm pool a left { max-answers-returned 2 members { s:vs21 { member-order 0 } s:vs22 { member-order 1 } } }
gtm pool a right {
    max-answers-returned 3
    members { s:vs23 { member-order 0 } s:vs24 { member-order 1 } s:vs25 { member-order 2 } }
}
gtm pool a all {
    max-answers-returned 4
    members { s:vs31 { member-order 0 } s:vs32 { member-order 1 } s:vs33 { member-order 2 } s:vs34 { member-order 3 } }
}
gtm pool aaaa six {
    load-balancing-mode ratio
    members { s:six1 { member-order 0 ratio 5 } s:six2 { member-order 1 ratio 2 } }
}
gtm pool cname names {
    load-balancing-mode ratio
    members {
        a.example.org { member-order 0 ratio 4 static-target yes } b.example.org { member-order 1 ratio 1 static-target yes }
    }
}
gtm wideip a single.${ORIGIN} { pools { single { order 0 } } }
gtm wideip a degraded.${ORIGIN} { pools { degraded { order 0 } } }
gtm wideip a grouped.${ORIGIN} { pool-lb-mode ratio pools { left { order 0 ratio 4 } right { order 1 ratio 9 } } }
gtm wideip a all.${ORIGIN} { pools { all { order 0 } } }
gtm wideip aaaa six.${ORIGIN} { pools { six { order 0 } } }
gtm wideip a names.${ORIGIN} { pools-cname { names { order 0 } } }
`;

const state = makeState();
const file = `${state}.conf`;
let up: RunningUp;
let gdnsd: NameServer;

before(async () => {
  writeFileSync(file, CONFIG);
  up = new RunningUp(state, { config: file });
  gdnsd = await NameServer.gdnsd({ origin: ORIGIN, plugins: PLUGINS, zone: ZONE, down: DOWN }, GDNSD);
  await up.ready();
});
after(async () => {
  await gdnsd.stop();
  assert.equal(await up.stop(), 0);
  removeState(state);
  removeState(file);
});

/** The records of each answer, in their order. */
async function answers(port: number, name: string, type: string): Promise<string[][]> {
  const query = queryOf({ name: `${name}.${ORIGIN}`, type });
  const replies = await ask(port, new Array<Uint8Array>(QUESTIONS).fill(query), 60_000);
  return replies.map((reply) => {
    assert.ok(reply !== undefined, 'a question was not answered');
    return linesOf(reply)
      .filter((line) => line.startsWith('an '))
      .map((line) => line.split(' ')[4]!);
  });
}

/** Both have the same ways to answer, as often as each other; `key` tells what makes two answers alike. */
async function compare(name: string, type: string, key: (records: readonly string[]) => string): Promise<string[]> {
  const counts = new Map<string, [number, number]>();
  for (const [server, port] of [OURS, GDNSD].entries()) {
    for (const records of await answers(port, name, type)) {
      const count = counts.get(key(records)) ?? [0, 0];
      count[server]!++;
      counts.set(key(records), count);
    }
  }
  const ways = [...counts.keys()].sort();
  assertSameShares(
    ways.map((way) => counts.get(way)![0]),
    ways.map((way) => counts.get(way)![1]),
    ways.join(', '),
  );
  return ways;
}

const whole = (records: readonly string[]): string => records.join(' ');
const first = (records: readonly string[]): string => records[0]!;
const together = (records: readonly string[]): string => [...records].sort().join(' ');

describe('shares of answers are those of gdnsd', () => {
  it('by ratio among members', async () => {
    assert.deepEqual(await compare('single', 'A', whole), ['192.0.2.1', '192.0.2.2', '192.0.2.3']);
    assert.deepEqual(await compare('six', 'AAAA', whole), ['2001:db8::1', '2001:db8::2']);
  });

  it('by ratio among members of which one is down there and switched off here', async () => {
    assert.deepEqual(await compare('degraded', 'A', whole), ['192.0.2.11', '192.0.2.13', '192.0.2.14']);
  });

  it('by ratio among names', async () => {
    assert.deepEqual(await compare('names', 'A', whole), ['a.example.org', 'b.example.org']);
  });

  it('of all addresses of a pool, each of which is the first one equally often', async () => {
    assert.deepEqual(await compare('all', 'A', together), ['192.0.2.31 192.0.2.32 192.0.2.33 192.0.2.34']);
    assert.equal((await compare('all', 'A', first)).length, 4);
  });

  it('by ratio among pools, with all addresses of one', async () => {
    assert.deepEqual(await compare('grouped', 'A', together), [
      '192.0.2.21 192.0.2.22',
      '192.0.2.23 192.0.2.24 192.0.2.25',
    ]);
    assert.equal((await compare('grouped', 'A', first)).length, 5);
  });
});
