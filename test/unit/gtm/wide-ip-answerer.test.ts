import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { GtmPool } from '../../../src/gtm/description.ts';
import {
  answer,
  describeGtm,
  Health,
  memberOf,
  NAME,
  poolOf,
  POOLS,
  rigOf,
  wideIpOf,
  WideIpRig,
} from '../../support/wide-ips.ts';

function p1(changes: Partial<GtmPool>): readonly GtmPool[] {
  return [{ ...POOLS[0]!, ...changes }, POOLS[1]!];
}

describe('a wide IP', () => {
  it('answers by the preferred mode of the first pool that is available', () => {
    const rig = rigOf();
    assert.deepEqual(rig.ask(NAME), answer('192.0.2.1'));
    assert.deepEqual(rig.ask('wWw.ExAmple.com'), ['NOERROR aa', 'an wWw.ExAmple.com 30 A 192.0.2.1']);
    assert.deepEqual(rig.counted(NAME), { requests: 2, resolutions: 2, preferred: 2 });
    rig.set('192.0.2.1', Health.down);
    assert.deepEqual(rig.ask(NAME), answer('192.0.2.2'));
    rig.set('192.0.2.2', Health.down);
    assert.deepEqual(rig.ask(NAME), answer('192.0.2.3'));
    rig.set('192.0.2.1', Health.up);
    assert.deepEqual(rig.ask(NAME), answer('192.0.2.1'));
  });

  it('leaves other names, and what it has no type for, to others', () => {
    const rig = rigOf();
    assert.deepEqual(rig.ask('www.example.org'), ['none']);
    assert.deepEqual(rig.ask('a.www.example.com'), ['none']);
    assert.deepEqual(rig.ask(NAME, 'MX'), ['passed']);
    assert.deepEqual(rig.ask('example.com'), ['passed']);
    assert.deepEqual(rig.counted(NAME), {});
  });

  it('that is switched off passes, and only the question is counted', () => {
    const rig = rigOf({ failure: { rcode: 3, ttl: 0 } }).disableWideIp(NAME);
    assert.deepEqual(rig.ask(NAME), ['passed']);
    assert.deepEqual(rig.counted(NAME), { requests: 1 });
  });

  it('goes from the preferred to the alternate to the fallback mode', () => {
    // Nobody has measured connections or packets.
    const pools = p1({ preferred: 'least-connections', alternate: 'global-availability' });
    const alternate = rigOf({}, pools);
    assert.deepEqual(alternate.ask(NAME), answer('192.0.2.1'));
    assert.deepEqual(alternate.counted(NAME), { requests: 1, resolutions: 1, alternate: 1 });
    const last = rigOf({}, p1({ preferred: 'least-connections', alternate: 'none', fallback: 'global-availability' }));
    assert.deepEqual(last.set('192.0.2.1', Health.down).ask(NAME), answer('192.0.2.1'));
    assert.deepEqual(last.counted(NAME), { requests: 1, resolutions: 1, fallback: 1 });
  });

  it('goes on with the next pool when one that is available has nothing by any mode', () => {
    const rig = rigOf({}, p1({ preferred: 'cpu', alternate: 'none', fallback: 'none' }));
    assert.deepEqual(rig.ask(NAME), answer('192.0.2.3'));
    assert.deepEqual(rig.ask(NAME), answer('192.0.2.3'));
    const none = rigOf({}, [{ ...POOLS[0]!, preferred: 'cpu', alternate: 'none', fallback: 'none' }]);
    assert.deepEqual(none.ask(NAME), ['passed']);
    assert.deepEqual(none.counted(NAME), { requests: 1, returnedToDns: 1 });
  });

  it('without pools, or with empty ones, has nothing', () => {
    assert.deepEqual(rigOf({}, []).ask(NAME), ['passed']);
    assert.deepEqual(rigOf({}, [poolOf('a', '/Common/p1', [])]).ask(NAME), ['passed']);
    const missing = new WideIpRig(describeGtm([wideIpOf('a', NAME, ['/Common/nowhere'])], []));
    assert.deepEqual(missing.ask(NAME), ['passed']);
  });

  it('is answered by the pool of last resort when no other is available', () => {
    const pools = [...POOLS, poolOf('a', '/Common/last', ['192.0.2.9'])];
    const lastResort = { type: 'a', pool: '/Common/last' } as const;
    const rig = rigOf({ lastResort }, pools);
    assert.deepEqual(rig.ask(NAME), answer('192.0.2.1'));
    rig.set('192.0.2.1', Health.down).set('192.0.2.2', Health.down).set('192.0.2.3', Health.down);
    assert.deepEqual(rig.ask(NAME), answer('192.0.2.9'));
    assert.deepEqual(rig.counted(NAME), { requests: 2, resolutions: 2, preferred: 2, lastResort: 1 });
    rig.set('192.0.2.9', Health.down);
    assert.deepEqual(rig.ask(NAME), ['passed']);
  });

  it('with nothing available answers by the fallback mode, whatever the health', () => {
    const pools = p1({ fallback: 'global-availability' });
    const rig = rigOf({}, pools);
    rig.set('192.0.2.1', 0).set('192.0.2.2', Health.down).set('192.0.2.3', Health.down);
    assert.deepEqual(rig.ask(NAME), answer('192.0.2.2'));
    assert.deepEqual(rig.counted(NAME), { requests: 1, resolutions: 1, fallback: 1 });
    // The next one that is not switched off, whose fallback is return-to-dns.
    assert.deepEqual(rig.disablePool('/Common/p1').ask(NAME), ['passed']);
    assert.deepEqual(rig.disablePool('/Common/p2').ask(NAME), ['passed']);
  });

  it('answers with the address of fallback-ip, which nobody watches', () => {
    const fallbackIp = Uint8Array.of(203, 0, 113, 1);
    const rig = rigOf({}, p1({ fallback: 'fallback-ip', fallbackIp }));
    rig.set('192.0.2.1', 0).set('192.0.2.2', 0).set('192.0.2.3', 0);
    assert.deepEqual(rig.ask(NAME), answer('203.0.113.1'));
    assert.deepEqual(rigOf({}, p1({ preferred: 'fallback-ip', fallbackIp })).ask(NAME), answer('203.0.113.1'));
    // Without one the mode has nothing.
    assert.deepEqual(rigOf({}, p1({ preferred: 'fallback-ip' })).ask(NAME), answer('192.0.2.1'));
  });

  it('does not reply where a mode says so', () => {
    const rig = rigOf({ failure: { rcode: 3, ttl: 0 } }, p1({ alternate: 'drop-packet', preferred: 'cpu' }));
    assert.deepEqual(rig.ask(NAME), ['dropped']);
    assert.deepEqual(rig.counted(NAME), { requests: 1, dropped: 1 });
    assert.deepEqual(rig.counts.pools.subarray(0, 5), Float64Array.of(0, 0, 0, 0, 1));
  });

  it('gives the question back: as what is preferred at once, as a fallback when there is nothing better', () => {
    const failure = { rcode: 5, ttl: 0 };
    const preferred = rigOf({ failure }, p1({ preferred: 'return-to-dns' }));
    assert.deepEqual(preferred.ask(NAME), ['passed']);
    assert.deepEqual(preferred.counted(NAME), { requests: 1, returnedToDns: 1 });
    const fallback = rigOf({ failure }, p1({ preferred: 'cpu', alternate: 'none', fallback: 'return-to-dns' }));
    assert.deepEqual(fallback.ask(NAME), ['REFUSED aa']);
    assert.deepEqual(fallback.counted(NAME), { requests: 1, failed: 1 });
  });

  it('replies with its rcode when nothing is left, with an SOA where that may be kept', () => {
    const down = (rig: WideIpRig): WideIpRig => rig.set('', Health.down);
    assert.deepEqual(down(rigOf({ failure: { rcode: 3, ttl: 0 } })).ask(NAME), ['NXDOMAIN aa']);
    assert.deepEqual(down(rigOf({ failure: { rcode: 0, ttl: 0 } })).ask(NAME), ['NOERROR aa']);
    const soa = 'this.name.is.invalid hostmaster.this.name.is.invalid 1 10800 3600 604800 60';
    const rig = down(rigOf({ failure: { rcode: 3, ttl: 60 }, aliases: ['other.example.net', '*.org'] }));
    assert.deepEqual(rig.ask(NAME), ['NXDOMAIN aa', `ns example.com 60 SOA ${soa}`]);
    assert.deepEqual(rig.ask('OTHER.example.NET'), ['NXDOMAIN aa', `ns example.NET 60 SOA ${soa}`]);
    assert.deepEqual(rig.ask('x.org'), ['NXDOMAIN aa', `ns org 60 SOA ${soa}`]);
    const top = new WideIpRig(describeGtm([wideIpOf('a', 'top', [], { failure: { rcode: 0, ttl: 60 } })], []));
    assert.deepEqual(top.ask('top'), ['NOERROR aa', `ns . 60 SOA ${soa}`]);
  });

  it('gives as many answers as the pool says, and in turns by round robin', () => {
    const members = ['192.0.2.1', '192.0.2.2', '192.0.2.3', '192.0.2.4'];
    const pool = poolOf('a', '/Common/p1', members, { preferred: 'round-robin', maxAnswersReturned: 2, ttl: 5 });
    const rig = rigOf({}, [pool]);
    const both = (a: number, b: number): string[] => [
      ...answer(`192.0.2.${a}`, 5),
      ...answer(`192.0.2.${b}`, 5).slice(1),
    ];
    assert.deepEqual(rig.ask(NAME), both(1, 2));
    assert.deepEqual(rig.ask(NAME), both(2, 3));
    rig.set('192.0.2.4', Health.down);
    assert.deepEqual(rig.ask(NAME), both(3, 1));
    rig.set('192.0.2.1', Health.down).set('192.0.2.2', Health.down);
    assert.deepEqual(rig.ask(NAME), answer('192.0.2.3', 5));
  });

  it('goes on with its turns after a change of the configuration', () => {
    const pool = poolOf('a', '/Common/p1', ['192.0.2.1', '192.0.2.2', '192.0.2.3'], { preferred: 'round-robin' });
    const wideIp = wideIpOf('a', NAME, ['/Common/p1']);
    const before = new WideIpRig(describeGtm([wideIp], [pool]));
    assert.deepEqual(before.ask(NAME), answer('192.0.2.1'));
    const other = poolOf('a', '/Common/p0', ['192.0.2.8']);
    const after = new WideIpRig(
      describeGtm([wideIpOf('a', 'a.example.com', ['/Common/p0']), wideIp], [other, pool]),
      before,
    );
    assert.deepEqual(after.ask(NAME), answer('192.0.2.2'));
  });

  it('has a member without a record for none', () => {
    const members = [memberOf('/Common/s:gone', 0), memberOf('/Common/s:192.0.2.1', 1)];
    assert.deepEqual(
      rigOf({}, [poolOf('a', '/Common/p1', members, { maxAnswersReturned: 5 })]).ask(NAME),
      answer('192.0.2.1'),
    );
  });
});
