// Which file of a zone counts.

import assert from 'node:assert/strict';
import fc from 'fast-check';
import { it } from 'node:test';
import { chooseZone, decideZone, type ZoneVersion } from '../../../../src/assembly/iqueryd/zone-rules.ts';

const version = (serial: number, digest: string, time = 0): ZoneVersion => ({ serial, digest, time });

it('the later serial counts, also around its end, and of one serial the later file', () => {
  for (const [ours, theirs, decision] of [
    [undefined, version(1, 'a'), 'take'],
    [version(1, 'a'), version(1, 'a', 9), 'same'],
    [version(1, 'a'), version(2, 'b'), 'take'],
    [version(2, 'a', 9), version(1, 'b'), 'wait'],
    [version(0xffff_ffff, 'a', 9), version(3, 'b'), 'take'],
    [version(1, 'a', 1), version(1, 'b', 2), 'yield'],
    [version(1, 'b', 1), version(1, 'a', 1), 'stand'],
    [version(0, 'a', 1), version(0x8000_0000, 'b', 2), 'yield'],
  ] as const) {
    assert.equal(decideZone(ours, theirs), decision, JSON.stringify([ours, theirs]));
  }
});

it('of serials that are near each other all take the same, whatever they hear first', () => {
  const versions = fc.array(
    fc.record({
      serial: fc.integer({ min: 0, max: 3 }),
      digest: fc.constantFrom('a', 'b', 'c'),
      time: fc.integer({ min: 0, max: 2 }),
    }),
    { minLength: 1, maxLength: 6 },
  );
  fc.assert(
    fc.property(versions, (all) => {
      // One digest is one file, and so one serial and time.
      const files = [...new Map(all.map((each) => [each.digest, each])).values()];
      const ends = files.map((ours) => {
        const best = chooseZone(
          ours,
          files.map((each) => ({ version: each })),
        );
        return (best?.peer.version ?? ours).digest;
      });
      assert.equal(new Set(ends).size, 1);
    }),
  );
});
