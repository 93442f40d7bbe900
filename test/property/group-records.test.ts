// What a host says of its groups: what our own reports say is read again, nothing is read beyond the end, and the table of joined
// groups is that of a model.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { AddressWords } from '../../src/core/address.ts';
import { GROUP_SECONDS, HostGroups } from '../../src/route/host-groups.ts';
import { readIgmpRecords, readMldRecords } from '../../src/wire/group-records.ts';
import { IGMP_IP_OCTETS, igmpV3ReportOctets, writeIgmpV3Report } from '../../src/wire/igmp.ts';
import { MLD_IP_OCTETS, mldV2ReportOctets, writeMldV2Report } from '../../src/wire/mld.ts';

const buffer = new ArrayBuffer(1 << 16);
const [bytes, words] = [new Uint8Array(buffer), new Int32Array(buffer)];
const AT = 64;
const word = fc.integer({ min: -0x80000000, max: 0x7fffffff });
const records = fc.array(fc.record({ type: fc.constantFrom(2, 3, 4), group: fc.tuple(word, word, word, word) }), {
  minLength: 1,
  maxLength: 40,
});

describe('records of groups', () => {
  it('that we write ourselves are read as they were meant', () => {
    fc.assert(
      fc.property(records, (list) => {
        const read6 = list.map(({ type, group }) => ({ group, listens: type !== 3 }));
        writeMldV2Report(bytes, words, AT, [0, 0, 0, 1], list);
        assert.deepEqual(readMldRecords(bytes, AT + MLD_IP_OCTETS, AT + mldV2ReportOctets(list.length)), read6);
        const list4 = list.map(({ type, group }) => ({ type, group: group[3] }));
        writeIgmpV3Report(bytes, AT, 1, list4);
        const read4 = list4.map(({ type, group }) => ({ group: [0, 0, 0, group], listens: type !== 3 }));
        assert.deepEqual(readIgmpRecords(bytes, AT + IGMP_IP_OCTETS, AT + igmpV3ReportOctets(list.length)), read4);
      }),
    );
  });

  it('are not read beyond the end of whatever was received', () => {
    const message = fc.uint8Array({ minLength: 24, maxLength: 200 });
    fc.assert(
      fc.property(fc.constantFrom(0x12, 0x16, 0x17, 0x22, 131, 132, 143), message, (type, octets) => {
        octets[0] = type;
        const end = AT + octets.length;
        const results = [0x00, 0xff].map((beyond) => {
          bytes.fill(beyond, AT, end + 300);
          bytes.set(octets, AT);
          return [readIgmpRecords(bytes, AT, end), readMldRecords(bytes, AT, end)];
        });
        assert.deepEqual(results[0], results[1]);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('HostGroups', () => {
  it('is a Map with times', () => {
    const group = fc.integer({ min: 0, max: 5 }).map((last): AddressWords => [0xff05_0000 | 0, 0, 0, last + 1]);
    const step = fc.record({ domain: fc.integer({ min: 1, max: 3 }), group, listens: fc.boolean(), later: fc.nat(20) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const groups = new HostGroups();
        const model = new Map<string, number>();
        let second = 0;
        for (const { domain, group: address, listens, later } of steps) {
          second += later;
          groups.tick(second);
          for (const [key, until] of model) if (second >= until) model.delete(key);
          const before = [...model.keys()].sort().join();
          groups.takeChange();
          const key = `${domain} ${address.join(' ')}`;
          groups.heard(domain, address, listens, second);
          if (listens) model.set(key, second + GROUP_SECONDS);
          else model.delete(key);
          const after = [...model.keys()].sort();
          assert.deepEqual(
            groups
              .list()
              .map((one) => `${one.domain} ${one.group.join(' ')}`)
              .sort(),
            after,
          );
          assert.equal(groups.has(domain, ...address), listens);
          assert.equal(groups.takeChange(), before !== after.join());
        }
      }),
    );
  });
});
