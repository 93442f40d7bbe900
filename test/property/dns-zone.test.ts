import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { printZone } from '../../src/dns/master-file-writer.ts';
import { packSets } from '../../src/dns/record-collector.ts';
import type { RecordSet, Zone } from '../../src/dns/record.ts';
import { zones } from '../support/random-zones.ts';
import { CORPUS_ORIGIN, ZONE_CORPUS } from '../support/zone-corpus.ts';
import { printed, readText, recordLines, zoneOf } from '../support/zones.ts';

const origin = fc.constantFrom('example.test.', 'A\\.b.Example.', 'a.'.repeat(60));

function setsOf(zone: Zone): RecordSet[] {
  return [...zone.sets];
}

describe('zones', () => {
  it('are read as they were printed', () => {
    fc.assert(
      fc.property(
        origin.chain((text) => fc.tuple(fc.constant(text), zones(text))),
        ([text, zone]) => {
          const again = zoneOf(printed(zone), text);
          assert.deepEqual(again.origin, zone.origin);
          assert.deepEqual(recordLines(again), recordLines(zone));
        },
      ),
      { numRuns: 300 },
    );
  });

  it('are printed in the same order whatever order their sets and records have', () => {
    fc.assert(
      fc.property(zones(CORPUS_ORIGIN), (zone) => {
        const turned = setsOf(zone)
          .reverse()
          .map((set) => ({ ...set, data: [...set.data].reverse() }));
        assert.deepEqual([...printZone({ ...zone, sets: turned })], [...printZone(zone)]);
      }),
    );
  });

  it('are the same when they are packed', () => {
    fc.assert(
      fc.property(zones(CORPUS_ORIGIN), (zone) => {
        const packed = packSets(zone.sets);
        assert.equal(packed.length, zone.sets.length);
        assert.deepEqual(setsOf({ ...zone, sets: packed }), setsOf(zone));
      }),
    );
  });
});

describe('master files of any kind', () => {
  const corpus = fc.constantFrom(...ZONE_CORPUS).map(({ text }) => Buffer.from(text));

  it('are zones or have errors with a place, and never anything else', () => {
    const mutated = fc
      .tuple(
        corpus,
        fc.array(fc.tuple(fc.nat(), fc.constantFrom(...Buffer.from('()";\\$@ \n\t{}9a\0'))), { maxLength: 4 }),
      )
      .map(([text, changes]) => {
        const changed = Buffer.from(text);
        for (const [at, octet] of changes) if (changed.length > 0) changed[at % changed.length] = octet;
        return changed.toString('latin1');
      });
    fc.assert(
      fc.property(fc.oneof(mutated, fc.string({ maxLength: 200 })), (text) => {
        const { zone, problems } = readText(text, CORPUS_ORIGIN, { maxRecords: 1000 });
        const errors = problems.filter(({ severity }) => severity === 'error');
        assert.equal(zone === undefined, errors.length > 0);
        for (const { position } of problems) {
          assert.ok(position === undefined || (position.line >= 1 && position.column >= 1));
        }
        if (zone !== undefined) assert.deepEqual(recordLines(zoneOf(printed(zone), CORPUS_ORIGIN)), recordLines(zone));
      }),
      { numRuns: 3000 },
    );
  });
});
